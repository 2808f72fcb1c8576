import type { LabelAction, LabelledSpan } from '@adbreak/shared/contract/labelling.js';

/** A label as the page shows it: `isPending` until the server has it on disk. */
export interface ShownSpan {
  readonly start: number;
  readonly end: number;
  /** Null is a label that is being taken away. */
  readonly label: 'ad' | 'content' | null;
  readonly action: string;
  readonly isPending: boolean;
}
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Below this two borders are one, seconds: files of labels have milliseconds. */
export const SAME = 0.0005;

/** What stands on the server, with what was asked of it and is not answered yet laid over. Undo waits for its answer. */
export function withPending(
  spans: readonly LabelledSpan[],
  actions: readonly LabelAction[],
  recording: string,
): ShownSpan[] {
  const standing: ShownSpan[] = spans.map(({ start, end, label, action }) => ({
    start,
    end,
    label,
    action,
    isPending: false,
  }));
  return actions.reduce((shown, action) => laid(shown, action, recording), standing);
}

function laid(spans: ShownSpan[], action: LabelAction, recording: string): ShownSpan[] {
  switch (action.kind) {
    case 'paint':
      return action.recording === recording ? painted(spans, action, action.label, action.id) : spans;
    case 'spot':
      return action.airings
        .filter((airing) => airing.recording === recording)
        .reduce((all, airing) => painted(all, airing, action.label, action.id), spans);
    case 'extend':
      return extended(spans, action.of, action.end);
    case 'undo':
    case 'redo':
      return spans;
  }
}

function painted(
  spans: readonly ShownSpan[],
  { start, end }: Stretch,
  label: ShownSpan['label'],
  action: string,
): ShownSpan[] {
  const rest = spans.flatMap((span) => without(span, start, end));
  return [...rest, { start, end, label, action, isPending: true }].sort((a, b) => a.start - b.start);
}

/** Its last part grows over what is after it. */
function extended(spans: readonly ShownSpan[], of: string, end: number): ShownSpan[] {
  const grown = spans.findLast(({ action }) => action === of);
  if (grown === undefined || end <= grown.end) return [...spans];
  return painted(spans, { start: grown.end, end }, grown.label, of);
}

function without(span: ShownSpan, start: number, end: number): ShownSpan[] {
  if (span.end <= start || span.start >= end) return [span];
  return [
    ...(span.start < start ? [{ ...span, end: start }] : []),
    ...(span.end > end ? [{ ...span, start: end }] : []),
  ];
}

/** Neighbours with the same label as one: what a person calls a stretch. Those taken away are none. */
export function stretchesOf(spans: readonly ShownSpan[]): ShownSpan[] {
  const merged: ShownSpan[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    const joins = last !== undefined && last.label === span.label && Math.abs(last.end - span.start) < SAME;
    if (joins)
      merged[merged.length - 1] = { ...last, end: span.end, isPending: last.isPending || span.isPending };
    else merged.push(span);
  }
  return merged.filter(({ label }) => label !== null);
}

export const spanAt = (spans: readonly ShownSpan[], time: number): ShownSpan | null =>
  spans.find(({ start, end }) => time >= start - SAME && time < end - SAME) ?? null;

/** Seconds of [start, end) that have a label. */
export function coveredSeconds(spans: readonly { start: number; end: number }[], stretch: Stretch): number {
  return spans.reduce(
    (sum, { start, end }) => sum + Math.max(0, Math.min(end, stretch.end) - Math.max(start, stretch.start)),
    0,
  );
}
