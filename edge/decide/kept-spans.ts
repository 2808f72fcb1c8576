import type { Segment } from './segments.js';

export interface KeptSpan {
  /** Seconds; a key frame, or the beginning. */
  readonly start: number;
  /** Infinity: to the end of the file, also where that is later than the picture's. */
  readonly end: number;
}

/**
 * What stays of a recording when its ads are cut out without encoding: a picture can only begin at a key
 * frame, so each part begins at the last one before it. Programme is never lost; an ad leaves its tail, and
 * one shorter than the way to a key frame stays whole. `keyframes` are seconds in order.
 */
export function keptSpans(segments: readonly Segment[], keyframes: readonly number[]): KeptSpan[] {
  const kept: { start: number; end: number }[] = [];
  for (const segment of segments) {
    const { start, label } = segment;
    if (label === 'ad') continue;
    const end = segment === segments.at(-1) ? Number.POSITIVE_INFINITY : segment.end;
    const before = kept.at(-1);
    const from = Math.max(0, keyframes.findLast((time) => time <= start + 1e-3) ?? 0);
    if (before !== undefined && from <= before.end + 1e-3) before.end = end;
    else kept.push({ start: from, end });
  }
  return kept;
}

/** Seconds of advertisement that are left in what is kept. */
export function adSecondsKept(segments: readonly Segment[], kept: readonly KeptSpan[]): number {
  const ads = segments.filter(({ label }) => label === 'ad');
  const left = (ad: Segment) =>
    kept.reduce(
      (sum, span) => sum + Math.max(0, Math.min(ad.end, span.end) - Math.max(ad.start, span.start)),
      0,
    );
  return ads.reduce((sum, ad) => sum + left(ad), 0);
}
