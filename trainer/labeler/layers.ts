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

/** The spans, which are in order and apart, with what is inside of a window replaced: cost by what there is, not by its history. */
export function replaceWithin(
  spans: readonly StandingSpan[],
  [from, to]: readonly [number, number],
  inside: readonly StandingSpan[],
): StandingSpan[] {
  const first = firstEndingAfter(spans, from);
  let last = first;
  while ((spans[last]?.start ?? Number.POSITIVE_INFINITY) < to) last++;
  const [left, right] = [spans[first], spans[last - 1]];
  const before = left !== undefined && left.start < from ? [{ ...left, end: from }] : [];
  const after = last > first && right !== undefined && right.end > to ? [{ ...right, start: to }] : [];
  // With a neighbour on each side: two halves of one action may meet there.
  const [low, high] = [Math.max(0, first - 1), last + 1];
  const around = [...spans.slice(low, first), ...before, ...inside, ...after, ...spans.slice(last, high)];
  return spans.toSpliced(low, high - low, ...joined(around));
}

/** Index of the first span that ends after a time, by bisection. */
function firstEndingAfter(spans: readonly StandingSpan[], time: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.end ?? Number.POSITIVE_INFINITY) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is seen of layers, lowest first, within a window. */
export function seenWithin(layers: readonly Layer[], [from, to]: readonly [number, number]): StandingSpan[] {
  let spans: StandingSpan[] = [];
  for (const layer of layers) {
    const window = [Math.max(from, layer.start), Math.min(to, layer.end)] as const;
    if (window[0] >= window[1]) continue;
    spans = replaceWithin(spans, window, asSpans(layer, window));
  }
  return spans;
}

function asSpans({ label, ...rest }: Layer, [start, end]: readonly [number, number]): StandingSpan[] {
  return label === null ? [] : [{ ...rest, label, start, end }];
}

/** Paints one layer over what is seen. */
export function painted(spans: readonly StandingSpan[], layer: Layer): StandingSpan[] {
  const window = [layer.start, layer.end] as const;
  return window[0] < window[1] ? replaceWithin(spans, window, asSpans(layer, window)) : [...spans];
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
