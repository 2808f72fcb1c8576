import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Span } from '@adbreak/shared/video/labels.js';
import { type FitSplit, SPLITS, type SplitRatio } from './ratio.js';

/** Shares of a length are not exact numbers. */
const ROUNDING = 1e-6;

export interface Stretch<Name extends string = string> {
  readonly name: Name;
  /** Seconds of media time. */
  readonly start: number;
  readonly end: number;
}

/**
 * Divides a recording by time, in the order of the shares, at the beginnings of labelled spans: no scene is divided, and
 * frames a second apart never lie in two stretches. The shares are of what is labelled. Throws `labels_invalid` where
 * there are too few spans.
 */
export function divide<Name extends string>(
  spans: readonly Span[],
  shares: readonly { readonly name: Name; readonly share: number }[],
): Stretch<Name>[] {
  const end = spans.at(-1)?.end ?? 0;
  let labelled = 0;
  // Where a stretch may begin, and how many labelled seconds lie before it.
  const edges = spans.map((span) => {
    const edge = { at: span.start, before: labelled };
    labelled += span.end - span.start;
    return edge;
  });
  let until = 0;
  let wanted = 0;
  return shares.map(({ name, share }, i) => {
    wanted += share * labelled;
    const start = until;
    until =
      i === shares.length - 1 ? end : (edges.find(({ before }) => before >= wanted - ROUNDING)?.at ?? end);
    if (until > start) return { name, start, end: until };
    throw new AdbreakError(
      'labels_invalid',
      `Cannot cut the recording: ${spans.length} labelled spans over ${labelled.toFixed(0)} s are too few for ${shares.length} parts`,
      { remedy: 'Give a longer recording, or label it span by span.' },
    );
  });
}

/** The stretches of a recording that has to fill all three splits by itself. */
export function divideByRatio(spans: readonly Span[], ratio: SplitRatio): Stretch<FitSplit>[] {
  return divide(
    spans,
    SPLITS.map((name) => ({ name, share: ratio[name] })),
  );
}
