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
 * frames a second apart never lie in two stretches. Throws `labels_invalid` where there are too few spans.
 */
export function divide<Name extends string>(
  spans: readonly Span[],
  shares: readonly { readonly name: Name; readonly share: number }[],
): Stretch<Name>[] {
  const total = spans.at(-1)?.end ?? 0;
  let until = 0;
  let wanted = 0;
  return shares.map(({ name, share }, i) => {
    wanted += share * total;
    const start = until;
    until =
      i === shares.length - 1
        ? total
        : (spans.find((span) => span.start >= wanted - ROUNDING)?.start ?? total);
    if (until > start) return { name, start, end: until };
    throw new AdbreakError(
      'labels_invalid',
      `Cannot cut the recording: ${spans.length} labelled spans over ${total.toFixed(0)} s are too few for ${shares.length} parts`,
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
