import { type Signal, useSignal } from '@preact/signals';
import type { RefObject, TargetedPointerEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { counted, formatClock } from '../clock.js';
import type { Desk } from '../desk.js';
import { snapped } from '../player/frames.js';
import * as state from '../state.js';
import { laneAt } from './lanes.js';
import { moved, secondsEachPixel, timeAt, zoomed } from './view.js';

/** A hand moves a little when it clicks, pixels. */
const STILL = 5;
/** A drag that ends this near to a cut means the cut, pixels. */
const SNAP = 7;

type Handler = (event: TargetedPointerEvent<HTMLDivElement>) => void;
interface Handlers {
  readonly onPointerDown: Handler;
  readonly onPointerMove: Handler;
  readonly onPointerUp: Handler;
  readonly onPointerCancel: Handler;
  readonly onPointerLeave: Handler;
}
export interface Pointer {
  /** Where the pointer is over the lanes, pixels; null where it is not. */
  readonly x: Signal<number | null>;
  readonly hint: Signal<string | null>;
  readonly handlers: Handlers;
}

/** A click seeks, or chooses an airing; a drag chooses a stretch; the wheel zooms. */
export function usePointer(desk: Desk, box: RefObject<HTMLDivElement | null>): Pointer {
  const x = useSignal<number | null>(null);
  const hint = useSignal<string | null>(null);
  const from = useSignal<number | null>(null);
  const before = useRef<state.Selection | null>(null);
  useEffect(() => {
    const onWheel = (event: WheelEvent) => wheel(event, box.current);
    box.current?.addEventListener('wheel', onWheel, { passive: false });
    return () => box.current?.removeEventListener('wheel', onWheel);
  }, []);
  const place = (event: PointerEvent) => {
    const bounds = box.current?.getBoundingClientRect();
    return { px: event.clientX - (bounds?.left ?? 0), py: event.clientY - (bounds?.top ?? 0) };
  };
  const handlers: Handlers = {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      box.current?.setPointerCapture(event.pointerId);
      from.value = place(event).px;
      before.current = state.selection.value;
    },
    onPointerMove: (event) => {
      const { px, py } = place(event);
      x.value = px;
      hint.value = from.value === null ? hintAt(timeAt(state.view.value, px), py) : null;
      if (from.value !== null && Math.abs(px - from.value) > STILL) select(desk, from.value, px);
    },
    onPointerUp: (event) => {
      const { px, py } = place(event);
      const start = from.value;
      from.value = null;
      if (start === null) return;
      if (Math.abs(px - start) > STILL)
        desk.seek(state.selection.value?.start ?? timeAt(state.view.value, px));
      else click(desk, timeAt(state.view.value, px), py);
    },
    // A finger that turned out to scroll the page has chosen nothing.
    onPointerCancel: () => {
      if (from.value !== null && state.selection.value !== before.current) desk.choose(before.current);
      from.value = null;
      x.value = null;
    },
    onPointerLeave: () => {
      x.value = null;
      hint.value = null;
    },
  };
  return { x, hint, handlers };
}

function wheel(event: WheelEvent, box: HTMLElement | null): void {
  if (box === null || event.ctrlKey) return;
  event.preventDefault();
  const view = state.view.value;
  const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  const delta = isSideways ? event.deltaX || event.deltaY : event.deltaY;
  const about = timeAt(view, event.clientX - box.getBoundingClientRect().left);
  state.view.value = isSideways
    ? moved(view, view.from + delta * secondsEachPixel(view))
    : zoomed(view, 1.0018 ** delta, about);
}

function select(desk: Desk, a: number, b: number): void {
  const [start, end] = [toBorder(desk, Math.min(a, b)), toBorder(desk, Math.max(a, b))];
  if (end > start) desk.choose({ start, end, spot: null });
}

/** The nearest cut, where one is near; else the nearest border between two frames. */
function toBorder(desk: Desk, x: number): number {
  const view = state.view.value;
  const time = Math.min(Math.max(0, timeAt(view, x)), view.duration);
  const reach = SNAP * secondsEachPixel(view);
  const near = (state.chosenSignals.value?.cuts ?? []).filter((cut) => Math.abs(cut - time) <= reach);
  const cut = near.toSorted((p, q) => Math.abs(p - time) - Math.abs(q - time))[0];
  return snapped(desk.player.times.value, cut ?? time, view.duration);
}

function click(desk: Desk, time: number, y: number): void {
  desk.seek(Math.min(Math.max(0, time), state.view.value.duration));
  const lane = laneAt(y);
  const within = (each: { start: number; end: number }) => time >= each.start && time < each.end;
  const airing = lane === 'spots' ? state.airingsHere.value.find(within) : undefined;
  const stretch = lane === 'ad' || lane === 'content' ? state.stretches.value.find(within) : undefined;
  if (airing) desk.choose({ start: airing.start, end: airing.end, spot: airing.spot });
  else if (stretch && stretch.label === lane)
    desk.choose({ start: stretch.start, end: stretch.end, spot: null });
  else desk.choose(null);
}

function hintAt(time: number, y: number): string {
  const clock = formatClock(Math.max(0, time), 1);
  const lane = laneAt(y);
  if (lane !== 'spots') return clock;
  const airing = state.airingsHere.value.find(({ start, end }) => time >= start && time < end);
  if (airing === undefined) return clock;
  const { class: kind, airings, why } = airing.spot;
  return `${kind} ${airing.name}, ${counted(airings.length, 'airing')}: ${why}`;
}
