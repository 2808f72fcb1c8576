import type { Span } from '@adbreak/shared/video/labels.js';
import type { StandingSpan } from './layers.js';

/** What several passes say of one recording together. */
export interface Agreed {
  /** In order; neighbours of one label are one. */
  readonly spans: readonly Span[];
  readonly disputes: readonly Dispute[];
}
export interface Dispute {
  readonly start: number;
  readonly end: number;
  readonly says: Readonly<Record<string, Span['label']>>;
}
type Passes = ReadonlyMap<string, readonly StandingSpan[]>;

/** A last word, whoever has it, counts before what all say; what all say before what one says. Seconds in dispute have no label. */
export function agreedOf(passes: Passes): Agreed {
  const spans: Span[] = [];
  const disputes: Dispute[] = [];
  for (const { start, end, says } of segmentsOf(passes)) {
    const label = labelOf(says);
    if (label !== null) extendOr(spans, { start, end, label });
    else disputes.push({ start, end, says: Object.fromEntries([...says].map(([n, s]) => [n, s.label])) });
  }
  return { spans, disputes: joined(disputes) };
}

/** Null where they differ. */
function labelOf(says: ReadonlyMap<string, StandingSpan>): Span['label'] | null {
  const all = [...says.values()];
  const verdicts = all.filter(({ how }) => how === 'verdict').sort((a, b) => b.sequence - a.sequence);
  const [first] = verdicts.length > 0 ? verdicts : all;
  if (first === undefined) return null;
  return verdicts.length > 0 || all.every(({ label }) => label === first.label) ? first.label : null;
}

interface Segment {
  readonly start: number;
  readonly end: number;
  readonly says: ReadonlyMap<string, StandingSpan>;
}

/** Stretches within which nobody changes their word, where anybody says one; a cursor for each pass. */
export function* segmentsOf(passes: Passes): Generator<Segment> {
  const borders = [
    ...new Set([...passes.values()].flatMap((spans) => spans.flatMap(({ start, end }) => [start, end]))),
  ].sort((a, b) => a - b);
  const at = new Map<string, number>();
  for (const [i, start] of borders.entries()) {
    const end = borders[i + 1];
    if (end === undefined) return;
    const says = new Map<string, StandingSpan>();
    for (const [name, spans] of passes) {
      let index = at.get(name) ?? 0;
      while ((spans[index]?.end ?? Number.POSITIVE_INFINITY) <= start) index++;
      at.set(name, index);
      const span = spans[index];
      if (span !== undefined && span.start <= start) says.set(name, span);
    }
    if (says.size > 0) yield { start, end, says };
  }
}

function extendOr(spans: Span[], next: Span): void {
  const last = spans.at(-1);
  if (last?.end === next.start && last.label === next.label)
    spans[spans.length - 1] = { ...last, end: next.end };
  else spans.push(next);
}

function joined(disputes: readonly Dispute[]): Dispute[] {
  const whole: Dispute[] = [];
  for (const next of disputes) {
    const last = whole.at(-1);
    const same = last?.end === next.start && JSON.stringify(last.says) === JSON.stringify(next.says);
    if (last !== undefined && same) whole[whole.length - 1] = { ...last, end: next.end };
    else whole.push(next);
  }
  return whole;
}
