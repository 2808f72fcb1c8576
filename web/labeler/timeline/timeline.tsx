import { useSignal, useSignalEffect } from '@preact/signals';
import type { TargetedKeyboardEvent } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { paintings } from '../../kit/theme.js';
import { api } from '../api.js';
import type { Desk } from '../desk.js';
import * as state from '../state.js';
import { contextOf, eachFrame, readColours } from './canvas.js';
import { Film } from './film.js';
import { Gutter } from './gutter.js';
import { HEIGHT, lane } from './lanes.js';
import { paintOver } from './over.js';
import { paintScene } from './paint.js';
import { playheadWords, slidTo } from './playhead.js';
import { usePointer } from './pointer.js';
import { filmTimes, type View } from './view.js';

/** Width of one picture in the strip, pixels; and how wide it is asked for. */
const PICTURE_WIDTH = 82;
const ASKED_WIDTH = 160;

/** The lanes over the part of the recording that is in view. */
export function Timeline({ desk }: { readonly desk: Desk }) {
  const box = useRef<HTMLDivElement>(null);
  const scene = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const pictures = useSignal(0);
  const film = useMemo(() => new Film(() => pictures.value++), []);
  const pointer = usePointer(desk, box);
  const colours = useMemo(() => ({ of: -1, values: readColours() }), []);
  const currentColours = () => {
    if (colours.of !== paintings.value)
      Object.assign(colours, { of: paintings.value, values: readColours() });
    return colours.values;
  };

  const drawScene = useMemo(() => eachFrame(() => draw()), []);
  const drawOver = useMemo(() => eachFrame(() => drawMoving()), []);
  const draw = () => {
    const view = state.view.value;
    const ctx = scene.current && contextOf(scene.current, view.width, HEIGHT);
    if (ctx) paintScene({ ctx, view, colours: currentColours() }, sceneOf(desk, film, view));
  };
  const drawMoving = () => {
    const view = state.view.value;
    const ctx = over.current && contextOf(over.current, view.width, HEIGHT);
    const moving = {
      time: desk.player.time,
      selection: state.selection.value,
      border: state.border.value?.time ?? null,
      pointer: pointer.x.value,
      growing: state.painting.value,
    };
    if (ctx) paintOver({ ctx, view, colours: currentColours() }, moving);
  };

  useSignalEffect(() => {
    // Read so that a change of any draws again.
    void [state.view.value, state.shownSpans.value, state.chosenSignals.value, state.airingsHere.value];
    void [
      state.selection.value,
      state.readyPieces.value,
      desk.player.loaded.value,
      pictures.value,
      paintings.value,
    ];
    drawScene();
  });
  useSignalEffect(() => {
    void [state.view.value, desk.player.frame.value, desk.player.times.value, state.selection.value];
    void [state.border.value, pointer.x.value, paintings.value];
    drawOver();
  });
  useEffect(() => followWidth(box.current), []);

  return (
    <div class="timeline">
      <Gutter />
      <div class="lanes" ref={box} {...pointer.handlers}>
        <canvas
          ref={scene}
          class="canvas"
          role="img"
          aria-label="Lanes; their labels are in the list Labels"
        />
        <canvas ref={over} class="canvas over" role="img" aria-label="Playhead and what is chosen" />
        <NoModel />
        <Playhead desk={desk} />
        {pointer.hint.value && (
          <div class="hint" ref={(element) => place(element, pointer.x.value ?? 0)}>
            {pointer.hint.value}
          </div>
        )}
      </div>
    </div>
  );
}

function place(element: HTMLElement | null, x: number): void {
  if (element === null) return;
  const room = state.view.value.width - element.offsetWidth - 4;
  element.style.transform = `translate(${Math.max(0, Math.min(x + 12, room))}px, ${lane('spots').y}px)`;
}

function followWidth(element: HTMLElement | null): (() => void) | undefined {
  if (element === null) return;
  const observer = new ResizeObserver(([entry]) => {
    const width = entry?.contentRect.width ?? 0;
    if (width > 0) state.view.value = { ...state.view.value, width };
  });
  element.style.height = `${HEIGHT}px`;
  observer.observe(element);
  return () => observer.disconnect();
}

function sceneOf(desk: Desk, film: Film, view: View) {
  const id = state.chosenId.value;
  const { step, times } = filmTimes(view, PICTURE_WIDTH);
  const strip = times.map((time) => ({ time, step, address: id ? api.picture(id, time, ASKED_WIDTH) : '' }));
  film.want(id ? strip.map(({ address }) => address) : []);
  return {
    spans: state.shownSpans.value,
    signals: state.chosenSignals.value,
    airings: state.airingsHere.value,
    chosenSpot: state.selection.value?.spot?.id ?? null,
    ready: state.readyPieces.value,
    loaded: desk.player.loaded.value,
    film: strip.map(({ time, address }) => ({ time, step, picture: film.get(address) })),
  };
}

/** In the model's lane where no model looked: what to do about it. */
function NoModel() {
  if (state.session.value?.hasModel !== false) return null;
  return (
    <p
      class="lane-empty"
      ref={(element) => {
        if (element !== null) element.style.top = `${lane('model').y}px`;
      }}
    >
      No model says where it is unsure. Start with <code>--model FOLDER</code>, or keep one by{' '}
      <code>adbreak models use FOLDER</code>, and start again.
    </p>
  );
}

/** The playhead for keyboards and screen readers: left and right reach it through the keys of the page. */
function Playhead({ desk }: { readonly desk: Desk }) {
  const time = desk.player.time;
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const to =
      event.ctrlKey || event.altKey || event.metaKey ? null : slidTo(event.key, time, desk.player.duration);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    desk.seek(to);
  };
  void desk.player.frame.value;
  return (
    <div
      class="playhead"
      role="slider"
      tabIndex={0}
      aria-label="Playhead"
      aria-valuemin={0}
      aria-valuemax={Math.round(desk.player.duration)}
      aria-valuenow={Math.round(time)}
      aria-valuetext={playheadWords(time, desk.player.frame.value, desk.player.isPlaying.value)}
      onKeyDown={onKeyDown}
    />
  );
}
