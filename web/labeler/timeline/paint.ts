import type { LabelSignals } from '@adbreak/shared/contract/labelling.js';
import { formatClock } from '../clock.js';
import type { ShownSpan } from '../labels/spans.js';
import type { AiringHere } from '../state.js';
import { arcsOf } from './arcs.js';
import { HEIGHT, LANES, type Lane, lane } from './lanes.js';
import { peaksOf, ticksOf, type View, xOf } from './view.js';

/** Draws the timeline. What it shows is in words in the lists beside it; a canvas says nothing to a screen reader. */

export const COLOUR_NAMES = [
  'surface',
  'sunken',
  'line',
  'edge',
  'ink',
  'soft',
  'ad',
  'ad-ink',
  'ad-wash',
  'content',
  'content-ink',
  'content-wash',
  'wave',
  'curve',
  'arc',
  'arc-wash',
  'dark-mark',
  'playhead',
  'select',
] as const;
export type Colours = Record<(typeof COLOUR_NAMES)[number], string>;
export interface Brush {
  readonly ctx: CanvasRenderingContext2D;
  readonly view: View;
  readonly colours: Colours;
}

export interface Scene {
  readonly spans: readonly ShownSpan[];
  readonly signals: LabelSignals | null;
  readonly airings: readonly AiringHere[];
  readonly chosenSpot: string | null;
  /** Stretches that the server has ready, and those that are loaded here. */
  readonly ready: readonly (readonly [number, number])[];
  readonly loaded: readonly (readonly [number, number])[];
  /** Pictures with their moment; null where one is not here yet. */
  readonly film: readonly {
    readonly time: number;
    readonly step: number;
    readonly picture: ImageBitmap | null;
  }[];
}

export function paintScene(brush: Brush, scene: Scene): void {
  brush.ctx.clearRect(0, 0, brush.view.width, HEIGHT);
  for (const each of LANES.slice(1)) ground(brush, each);
  paintFilm(brush, scene);
  paintRuler(brush, scene);
  paintLabels(brush, scene.spans, lane('ad'), 'ad');
  paintLabels(brush, scene.spans, lane('content'), 'content');
  paintSpots(brush, scene);
  if (scene.signals === null) return;
  paintModel(brush, scene.signals);
  paintWave(brush, scene.signals);
  paintMarks(brush, scene.signals);
}

function ground({ ctx, view, colours }: Brush, { y, height }: Lane): void {
  ctx.fillStyle = colours.sunken;
  ctx.fillRect(0, y, view.width, height);
}

function paintRuler({ ctx, view, colours }: Brush, { ready, loaded }: Scene): void {
  const { height } = lane('ruler');
  const { step, times } = ticksOf(view);
  ctx.font = '12px system-ui, "DejaVu Sans", sans-serif';
  ctx.textBaseline = 'top';
  for (const time of times) {
    const x = Math.round(xOf(view, time));
    ctx.fillStyle = colours.line;
    ctx.fillRect(x, 4, 1, height - 8);
    ctx.fillStyle = colours.soft;
    ctx.fillText(formatClock(time, step < 1 ? 1 : 0), x + 4, 2);
  }
  ctx.fillStyle = colours.line;
  for (const [start, end] of ready) bar({ ctx, view, colours }, start, end, height - 3, 3);
  ctx.fillStyle = colours.select;
  for (const [start, end] of loaded) bar({ ctx, view, colours }, start, end, height - 3, 3);
}

function bar({ ctx, view }: Brush, start: number, end: number, y: number, height: number): void {
  const x = Math.max(-2, xOf(view, start));
  const right = Math.min(view.width + 2, xOf(view, end));
  if (right >= x && x <= view.width) ctx.fillRect(x, y, Math.max(1, right - x), height);
}

function paintFilm({ ctx, view }: Brush, { film }: Scene): void {
  const { y, height } = lane('film');
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, y, view.width, height);
  ctx.clip();
  for (const { time, step, picture } of film) {
    const x = xOf(view, time);
    const room = xOf(view, time + step) - x;
    if (picture !== null) fill(ctx, picture, { x, y, width: room - 1, height });
  }
  ctx.restore();
}

/** The middle of a picture, as much as fits the room. */
function fill(
  ctx: CanvasRenderingContext2D,
  picture: ImageBitmap,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): void {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [width / scale, height / scale];
  ctx.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, x, y, width, height);
}

function paintLabels(brush: Brush, spans: readonly ShownSpan[], place: Lane, label: 'ad' | 'content'): void {
  for (const span of spans) {
    if (span.end < brush.view.from || span.start > brush.view.to) continue;
    if (span.label === label) paintLabel(brush, span, place);
    else if (span.label === null && span.isPending) paintRemoval(brush, span, place);
  }
}

/** What is not on disk yet is an outline in hatched grey; an ad is hatched, whatever its colour. */
export function paintLabel(
  { ctx, view, colours }: Brush,
  span: Omit<ShownSpan, 'action'>,
  { y, height }: Lane,
): void {
  const label = span.label ?? 'content';
  const x = Math.max(-4, xOf(view, span.start));
  const width = Math.max(2, Math.min(view.width + 4, xOf(view, span.end)) - x);
  const box = { x, y: y + 2, width, height: height - 4 };
  ctx.fillStyle = span.isPending ? colours.surface : colours[`${label}-wash`];
  ctx.fillRect(box.x, box.y, box.width, box.height);
  if (span.isPending) hatch(ctx, box, colours.edge, 5);
  else if (label === 'ad') hatch(ctx, box, colours.ad, 8);
  ctx.strokeStyle = span.isPending ? colours.edge : colours[label];
  ctx.lineWidth = 1.5;
  ctx.setLineDash(span.isPending ? [4, 3] : []);
  ctx.strokeRect(box.x + 0.75, box.y + 0.75, Math.max(0.5, box.width - 1.5), box.height - 1.5);
  ctx.setLineDash([]);
  const text = label === 'ad' ? 'AD' : 'CONTENT';
  caption(ctx, text, box, span.isPending ? colours.soft : colours[`${label}-ink`], colours.surface);
}

function paintRemoval({ ctx, view, colours }: Brush, span: ShownSpan, { y, height }: Lane): void {
  const x = xOf(view, span.start);
  ctx.strokeStyle = colours.edge;
  ctx.setLineDash([2, 4]);
  ctx.strokeRect(x, y + 3, Math.max(2, xOf(view, span.end) - x), height - 6);
  ctx.setLineDash([]);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function hatch(ctx: CanvasRenderingContext2D, box: Box, colour: string, gap: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, box.y, box.width, box.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  const first = Math.floor((box.x - box.height) / gap) * gap;
  for (let x = first; x < box.x + box.width; x += gap) {
    ctx.moveTo(x, box.y + box.height);
    ctx.lineTo(x + box.height, box.y);
  }
  ctx.stroke();
  ctx.restore();
}

/** A word on a ground of its own, where there is room for it. */
function caption(ctx: CanvasRenderingContext2D, text: string, box: Box, ink: string, ground: string): void {
  ctx.font = '600 11px system-ui, "DejaVu Sans", sans-serif';
  ctx.textBaseline = 'middle';
  const width = ctx.measureText(text).width;
  const left = Math.max(box.x, 0) + 5;
  if (left + width + 8 > box.x + box.width) return;
  ctx.fillStyle = ground;
  ctx.fillRect(left - 1, box.y + 3, width + 6, box.height - 6);
  ctx.fillStyle = ink;
  ctx.fillText(text, left + 2, box.y + box.height / 2 + 0.5);
}

const SPOT_BAR = 18;

function paintSpots(brush: Brush, { airings, chosenSpot }: Scene): void {
  const { ctx, view, colours } = brush;
  const { y, height } = lane('spots');
  const base = y + height - SPOT_BAR - 2;
  for (const { spot, from, to, height: rise } of arcsOf(view, airings, chosenSpot, height - SPOT_BAR - 8)) {
    ctx.strokeStyle = spot === chosenSpot ? colours.select : colours.arc;
    ctx.lineWidth = spot === chosenSpot ? 2.5 : 1;
    ctx.beginPath();
    ctx.ellipse((from + to) / 2, base, Math.max(1, (to - from) / 2), rise, 0, Math.PI, 2 * Math.PI);
    ctx.stroke();
  }
  for (const airing of airings) paintAiring(brush, airing, airing.spot.id === chosenSpot, base);
}

function paintAiring({ ctx, view, colours }: Brush, airing: AiringHere, isChosen: boolean, y: number): void {
  const x = xOf(view, airing.start);
  const width = Math.max(2, xOf(view, airing.end) - x);
  if (x > view.width || x + width < 0) return;
  const box = { x, y, width, height: SPOT_BAR };
  ctx.fillStyle = colours['arc-wash'];
  ctx.fillRect(x, y, width, SPOT_BAR);
  ctx.strokeStyle = isChosen ? colours.select : colours.arc;
  ctx.lineWidth = isChosen ? 2.5 : 1;
  ctx.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 1), SPOT_BAR - 1);
  caption(ctx, `${airing.name} × ${airing.spot.airings.length}`, box, colours.ink, colours['arc-wash']);
}

function paintModel({ ctx, view, colours }: Brush, { model }: LabelSignals): void {
  if (model.length === 0) return;
  const { y, height } = lane('model');
  const at = (p: number) => y + height - 3 - p * (height - 6);
  ctx.strokeStyle = colours.line;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(0, Math.round(at(0.5)) + 0.5);
  ctx.lineTo(view.width, Math.round(at(0.5)) + 0.5);
  ctx.stroke();
  ctx.strokeStyle = colours.curve;
  ctx.lineWidth = 1.75;
  ctx.beginPath();
  for (const [time, p] of thinned(view, model)) ctx.lineTo(xOf(view, time), at(p));
  ctx.stroke();
}

/** Points in view, and one on either side; of several under a pixel the lowest and the highest. */
function thinned(view: View, points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const first = Math.max(0, points.findIndex(([time]) => time >= view.from) - 1);
  const after = points.findIndex(([time]) => time > view.to);
  const visible = points.slice(first, after === -1 ? undefined : after + 1);
  const each = Math.floor(visible.length / Math.max(1, view.width * 2)) + 1;
  if (each === 1) return visible;
  return Array.from({ length: Math.ceil(visible.length / each) }, (_, i) => {
    const group = visible.slice(i * each, (i + 1) * each);
    return group.reduce((far, point) => (Math.abs(point[1] - 0.5) > Math.abs(far[1] - 0.5) ? point : far));
  });
}

function paintWave({ ctx, view, colours }: Brush, { wave, waveStep }: LabelSignals): void {
  const { y, height } = lane('wave');
  const peaks = peaksOf(view, wave, waveStep);
  ctx.fillStyle = colours.wave;
  peaks.forEach((peak, x) => {
    const tall = Math.max(wave.length > 0 ? 1 : 0, peak * (height - 4));
    ctx.fillRect(x, y + (height - tall) / 2, 1, tall);
  });
}

/** Cuts as ticks; black as a filled block, silence as an empty one, so that no colour is needed to tell them apart. */
function paintMarks(brush: Brush, { cuts, black, silence }: LabelSignals): void {
  const { ctx, view, colours } = brush;
  const { y, height } = lane('marks');
  ctx.fillStyle = colours['dark-mark'];
  for (const [start, end] of black) bar(brush, start, end, y + 2, height / 2 - 3);
  ctx.strokeStyle = colours['dark-mark'];
  ctx.lineWidth = 1;
  for (const [start, end] of silence) {
    const x = Math.round(xOf(view, start)) + 0.5;
    const width = Math.max(2, Math.round(xOf(view, end) - xOf(view, start)));
    if (x < view.width && x + width > 0) ctx.strokeRect(x, y + height / 2 + 1.5, width, height / 2 - 4);
  }
  const isDense = cuts.filter((cut) => cut >= view.from && cut <= view.to).length > view.width / 3;
  ctx.fillStyle = isDense ? colours.line : colours.edge;
  for (const cut of cuts) bar(brush, cut, cut, y, height);
}
