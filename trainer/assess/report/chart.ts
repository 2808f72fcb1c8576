import type { Point } from '../curves.js';
import { type Content, type Markup, markup } from './markup.js';

/** A line of a chart. The style tells lines apart without colour. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  readonly style: 'blue' | 'vermillion' | 'grey';
  /** A mark at each point. */
  readonly marked?: boolean;
}
export interface Axis {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}
export interface Chart {
  /** Unique in the page: titles are found by it. */
  readonly id: string;
  readonly title: string;
  /** What it shows, in words, for who does not see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [540, 330];
const PLOT = { left: 56, right: 16, top: 34, bottom: 46 } as const;
const STROKES = {
  blue: { colour: '#0072b2', dash: '', width: 2.5 },
  vermillion: { colour: '#d55e00', dash: '7 4', width: 2.5 },
  grey: { colour: '#6b7684', dash: '2 4', width: 1.5 },
} as const;

const BOTTOM = HEIGHT - PLOT.bottom;
const RIGHT = WIDTH - PLOT.right;
const MIDDLE = { x: (PLOT.left + RIGHT) / 2, y: (PLOT.top + BOTTOM) / 2 } as const;

/** Where values lie in the picture. */
interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

/** A line chart as inline SVG, named and described. */
export function lineChart({ id, title, description, x, y, series }: Chart): Markup {
  const scale: Scale = {
    x: (value) => round(PLOT.left + (RIGHT - PLOT.left) * place(value, x)),
    y: (value) => round(BOTTOM - (BOTTOM - PLOT.top) * place(value, y)),
  };
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>
${x.ticks.map((tick) => verticalRule(scale.x(tick), tick))}
${y.ticks.map((tick) => horizontalRule(scale.y(tick), tick))}
${axisLabels(x, y)}
${series.map((one) => line(one, scale))}
${legend(series)}
</svg>`;
}

/** How far from the low to the high end of an axis, within both. */
function place(value: number, { low, high }: Axis): number {
  return high === low ? 0.5 : Math.min(1, Math.max(0, (value - low) / (high - low)));
}

function verticalRule(x: number, tick: number): Content {
  return markup`<path d="M${x} ${PLOT.top}V${BOTTOM}" stroke="#e6eaef"/>
<text x="${x}" y="${BOTTOM + 17}" text-anchor="middle" class="soft">${formatTick(tick)}</text>`;
}
function horizontalRule(y: number, tick: number): Content {
  return markup`<path d="M${PLOT.left} ${y}H${RIGHT}" stroke="#e6eaef"/>
<text x="${PLOT.left - 7}" y="${y + 4}" text-anchor="end" class="soft">${formatTick(tick)}</text>`;
}
function axisLabels(x: Axis, y: Axis): Content {
  const turned = `rotate(-90 14 ${MIDDLE.y})`;
  return markup`<text x="${MIDDLE.x}" y="${HEIGHT - 8}" text-anchor="middle" class="soft">${x.label}</text>
<text x="14" y="${MIDDLE.y}" text-anchor="middle" class="soft" transform="${turned}">${y.label}</text>`;
}

function line({ points, style, marked }: Series, scale: Scale): Content {
  const path = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${scale.x(x)} ${scale.y(y)}`).join('');
  // A line of one point would be nothing to see.
  const marks = marked || points.length === 1 ? points.map((point) => mark(point, style, scale)) : null;
  return markup`<path d="${path}" fill="none" ${stroke(style)} stroke-linejoin="round"/>${marks}`;
}

/** A square or a dot, so that marks differ without their colour. */
function mark({ x, y }: Point, style: Series['style'], scale: Scale): Content {
  const [px, py] = [scale.x(x), scale.y(y)];
  const { colour } = STROKES[style];
  if (style !== 'vermillion') return markup`<circle cx="${px}" cy="${py}" r="4" fill="${colour}"/>`;
  const square = markup`x="${px - 4}" y="${py - 4}" width="8" height="8"`;
  return markup`<rect ${square} fill="#fff" stroke="${colour}" stroke-width="2"/>`;
}

function stroke(style: Series['style']): Content {
  const { colour, dash, width } = STROKES[style];
  return markup`stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"`;
}

/** Beside each other above the plot; a name of so many letters is so wide. */
function legend(series: readonly Series[]): Content {
  let at: number = PLOT.left;
  return series.map(({ name, style }) => {
    const from = at;
    at += 44 + name.length * 6.6;
    return markup`<path d="M${from} 16h26" ${stroke(style)}/><text x="${from + 32}" y="20">${name}</text>`;
  });
}

/** A share with its interval on a track from 0 to 1; the numbers stand beside it. */
export function intervalTrack(value: number, interval: { low: number; high: number } | null): Markup {
  const at = (share: number) => round(4 + 132 * Math.min(1, Math.max(0, share)));
  const range =
    interval === null
      ? null
      : markup`<path d="M${at(interval.low)} 8H${at(interval.high)}" stroke="#0072b2" stroke-width="5"/>`;
  return markup`<svg viewBox="0 0 140 16" width="140" height="16" aria-hidden="true">
<path d="M4 8H136" stroke="#d9dee5" stroke-width="2"/>${range}
<circle cx="${at(value)}" cy="8" r="4.5" fill="#fff" stroke="#1b2330" stroke-width="2"/></svg>`;
}

/** Round steps from `low` to `high`, at most seven. */
export function ticksOf(low: number, high: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / 6;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function formatTick(value: number): string {
  return String(Number(value.toPrecision(3)));
}
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
