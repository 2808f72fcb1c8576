import type { Selection } from '../state.js';
import { HEIGHT, lane } from './lanes.js';
import { type Brush, paintLabel } from './paint.js';
import { xOf } from './view.js';

/** What moves above the lanes: playhead, what is chosen, the border that is moved. */
export interface Over {
  readonly time: number;
  readonly selection: Pick<Selection, 'start' | 'end'> | null;
  readonly border: number | null;
  readonly pointer: number | null;
  /** A label that grows while it plays: up to here the server knows of it. */
  readonly growing: { readonly end: number; readonly label: 'ad' | 'content' } | null;
}

export function paintOver(brush: Brush, { time, selection, border, pointer, growing }: Over): void {
  const { ctx, view, colours } = brush;
  ctx.clearRect(0, 0, view.width, HEIGHT);
  if (growing !== null && time > growing.end)
    paintLabel(
      brush,
      { start: growing.end, end: time, label: growing.label, isPending: true },
      lane(growing.label),
    );
  if (selection !== null) paintSelection(brush, selection);
  if (pointer !== null) paintLine(brush, pointer, colours.edge, 1);
  if (border !== null) paintBorder(brush, border);
  paintLine(brush, xOf(view, time), colours.playhead, 2);
  paintHead(brush, xOf(view, time));
}

function paintSelection({ ctx, view, colours }: Brush, { start, end }: { start: number; end: number }): void {
  const x = xOf(view, start);
  const width = Math.max(1, xOf(view, end) - x);
  const y = lane('film').y;
  ctx.globalAlpha = 0.14;
  ctx.fillStyle = colours.select;
  ctx.fillRect(x, y, width, HEIGHT - y);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = colours.select;
  ctx.lineWidth = 2;
  ctx.strokeRect(x, y + 1, width, HEIGHT - y - 2);
}

function paintLine({ ctx }: Brush, x: number, colour: string, width: number): void {
  ctx.fillStyle = colour;
  ctx.fillRect(Math.round(x) - width / 2, 0, width, HEIGHT);
}

function paintHead({ ctx, colours }: Brush, x: number): void {
  ctx.fillStyle = colours.playhead;
  ctx.beginPath();
  ctx.moveTo(x - 6, 0);
  ctx.lineTo(x + 6, 0);
  ctx.lineTo(x, 9);
  ctx.fill();
}

/** A bar with handles over the lanes of labels. */
function paintBorder({ ctx, view, colours }: Brush, time: number): void {
  const x = xOf(view, time);
  const top = lane('ad').y - 3;
  const bottom = lane('content').y + lane('content').height + 3;
  ctx.fillStyle = colours.select;
  ctx.fillRect(x - 2, top, 4, bottom - top);
  ctx.beginPath();
  ctx.arc(x, top, 5, 0, 2 * Math.PI);
  ctx.arc(x, bottom, 5, 0, 2 * Math.PI);
  ctx.fill();
}
