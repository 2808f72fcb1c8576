import { useSignal, useSignalEffect } from '@preact/signals';
import type { TargetedPointerEvent } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { paintings } from '../../kit/theme.js';
import type { Desk } from '../desk.js';
import * as state from '../state.js';
import { contextOf, eachFrame, readColours } from './canvas.js';
import type { Brush } from './paint.js';
import { fitted, moved, timeAt, xOf } from './view.js';

const HEIGHT = 30;

/** The whole recording in one strip: what is labelled, and which part the lanes show. */
export function Overview({ desk }: { readonly desk: Desk }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useSignal(1);
  const isHeld = useSignal(false);
  const draw = useMemo(
    () =>
      eachFrame(() => {
        const view = fitted({ ...state.view.value, width: width.value });
        const ctx = canvas.current && contextOf(canvas.current, width.value, HEIGHT);
        if (ctx) paint({ ctx, view, colours: readColours() }, desk.player.time);
      }),
    [],
  );
  useSignalEffect(() => {
    void [state.view.value, state.shownSpans.value, desk.player.frame.value, paintings.value, width.value];
    void [state.queue.value, state.chosenId.value];
    draw();
  });
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      width.value = Math.max(1, entry?.contentRect.width ?? 1);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const move = (event: TargetedPointerEvent<HTMLCanvasElement>) => {
    const bounds = event.currentTarget.getBoundingClientRect();
    const time = timeAt(fitted({ ...state.view.value, width: bounds.width }), event.clientX - bounds.left);
    const view = state.view.value;
    state.view.value = moved(view, time - (view.to - view.from) / 2);
    return time;
  };
  const letGo = () => {
    isHeld.value = false;
  };
  return (
    <canvas
      ref={canvas}
      class="overview"
      role="img"
      aria-label="The whole recording; its labels are in the list Labels"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        isHeld.value = true;
        desk.seek(move(event));
      }}
      onPointerMove={(event) => isHeld.value && move(event)}
      onPointerUp={letGo}
      onPointerCancel={letGo}
    />
  );
}

function paint(brush: Brush, time: number): void {
  const { ctx, view, colours } = brush;
  ctx.clearRect(0, 0, view.width, HEIGHT);
  ctx.fillStyle = colours.sunken;
  ctx.fillRect(0, 0, view.width, HEIGHT);
  for (const { start, end, label, isPending } of state.shownSpans.value) {
    if (label === null) continue;
    ctx.fillStyle = isPending ? colours.edge : colours[label];
    const x = xOf(view, start);
    const y = label === 'ad' ? 5 : 16;
    ctx.fillRect(x, y, Math.max(1, xOf(view, end) - x), 9);
  }
  const x = xOf(view, state.view.value.from);
  const width = Math.max(3, xOf(view, state.view.value.to) - x);
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 2;
  ctx.strokeRect(x + 1, 1, width - 2, HEIGHT - 2);
  ctx.fillStyle = colours.playhead;
  ctx.fillRect(Math.round(xOf(view, time)) - 1, 0, 2, HEIGHT);
}
