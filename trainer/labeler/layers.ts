import { firstIndex } from '@adbreak/shared/bisect.js';
import type { LabelledSpan } from '@adbreak/shared/contract/labelling.js';

/** A label that stands, and how far up it lies: of two on one second the later one is seen. */
export interface StandingSpan extends LabelledSpan {
  /** Of the event that it came from. */
  readonly sequence: number;
}

/** One stretch of one action; null takes away what lies below it. */
export interface Layer extends Omit<StandingSpan, 'label'> {
  readonly label: LabelledSpan['label'] | null;
}
export interface Window {
  readonly start: number;
  readonly end: number;
}

/**
 * The spans with what is inside of these windows replaced. Spans and windows are in order and apart: many windows cost as
 * much as one over them all, and one costs by what is in it.
 */
export function replaceWithin(
  spans: readonly StandingSpan[],
  windows: readonly Window[],
  insides: readonly (readonly StandingSpan[])[],
): readonly StandingSpan[] {
  const from = windows[0]?.start ?? 0;
  const to = windows.at(-1)?.end ?? 0;
  if (from >= to) return spans;
  const first = firstEndingAfter(spans, from);
  let last = first;
  while ((spans[last]?.start ?? Number.POSITIVE_INFINITY) < to) last++;
  // With a neighbour on each side: two halves of one action may meet there.
  const [low, high] = [Math.max(0, first - 1), last + 1];
  const gaps = [
    { start: Number.NEGATIVE_INFINITY, end: from },
    ...windows.map(({ end }, i) => ({ start: end, end: windows[i + 1]?.start ?? Number.POSITIVE_INFINITY })),
  ];
  const kept = spansIn(gaps, spans.slice(low, high));
  const around = gaps.flatMap((_, i) => [...(kept[i] ?? []), ...(insides[i] ?? [])]);
  return spans.slice(0, low).concat(joined(around), spans.slice(high));
}

function spansIn(windows: readonly Window[], spans: readonly StandingSpan[]): StandingSpan[][] {
  const inside = windows.map((): StandingSpan[] => []);
  eachOverlap(windows, spans, (window, span) => {
    const { start, end } = windows[window] ?? span;
    inside[window]?.push({ ...span, start: Math.max(start, span.start), end: Math.min(end, span.end) });
  });
  return inside;
}

/** What lies over each other of two lists, each in order and apart, from the first that can. */
export function eachOverlap<T extends Window>(
  windows: readonly Window[],
  list: readonly T[],
  take: (window: number, one: T) => void,
): void {
  let i = firstEndingAfter(list, windows[0]?.start ?? 0);
  let w = firstEndingAfter(windows, list[i]?.start ?? 0);
  for (;;) {
    const [window, one] = [windows[w], list[i]];
    if (window === undefined || one === undefined) return;
    if (one.start < window.end && one.end > window.start) take(w, one);
    if (one.end < window.end) i++;
    else w++;
  }
}

/** Index of the first that ends after a time, by bisection. */
function firstEndingAfter(spans: readonly Window[], time: number): number {
  return firstIndex(spans.length, (i) => (spans[i]?.end ?? 0) > time);
}

/**
 * What is seen of layers, lowest first, within a window: from the top down each takes what is free yet. Free places are
 * found by leaps that get longer (union-find): ten thousand layers cost their sorting.
 */
export function seenWithin(layers: readonly Layer[], window: Window): StandingSpan[] {
  const cut = layers.flatMap((layer) => {
    const [start, end] = [Math.max(window.start, layer.start), Math.min(window.end, layer.end)];
    return start < end ? [{ ...layer, start, end }] : [];
  });
  const borders = [...new Set(cut.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const places = new Map(borders.map((border, i) => [border, i]));
  const free = new FreePlaces(borders.length);
  const top: (Layer | undefined)[] = new Array(borders.length);
  for (const layer of cut.reverse()) {
    const end = places.get(layer.end) ?? 0;
    for (let i = free.from(places.get(layer.start) ?? 0); i < end; i = free.from(i)) {
      top[i] = layer;
      free.take(i);
    }
  }
  return joined(
    borders.flatMap((start, i) => {
      const [layer, end] = [top[i], borders[i + 1]];
      return layer === undefined || end === undefined ? [] : asSpans({ ...layer, start, end });
    }),
  );
}

class FreePlaces {
  /** By place: itself while it is free, else one further on. */
  readonly #next: Int32Array;

  constructor(count: number) {
    this.#next = Int32Array.from({ length: count + 1 }, (_, i) => i);
  }

  take(place: number): void {
    this.#next[place] = place + 1;
  }

  /** The first that is free, from a place on. */
  from(place: number): number {
    let at = place;
    for (let next = this.#next[at] ?? at; next !== at; next = this.#next[at] ?? at) {
      this.#next[at] = this.#next[next] ?? next;
      at = next;
    }
    return at;
  }
}

function asSpans({ label, ...rest }: Layer): StandingSpan[] {
  return label === null ? [] : [{ ...rest, label }];
}

/** Paints layers, in order and apart, over what is seen. */
export function painted(spans: readonly StandingSpan[], layers: readonly Layer[]): readonly StandingSpan[] {
  return replaceWithin(spans, layers, layers.map(asSpans));
}

/** Two halves of one action that meet are one again. */
function joined(spans: readonly StandingSpan[]): StandingSpan[] {
  const whole: StandingSpan[] = [];
  for (const span of spans) {
    const last = whole.at(-1);
    if (last !== undefined && last.action === span.action && last.end === span.start)
      whole[whole.length - 1] = { ...last, end: span.end };
    else whole.push(span);
  }
  return whole;
}
