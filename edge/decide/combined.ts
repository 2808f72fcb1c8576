import type { Scored } from './scored.js';
import type { Segment } from './segments.js';

/** What recurrence says of a stretch of one recording. */
export interface Hint {
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  /** Logarithm of the odds of an advertisement against programme, for each of its frames: below 0 for programme. */
  readonly odds: number;
}
/** A stretch where something may begin or end: black and silent. */
export interface Gap {
  readonly start: number;
  readonly end: number;
}

/** A change so near to a gap or to the border of an airing, seconds, is there: a model sees it late, or a shot early. */
const NEAR = 4;
/** p(ad) of a frame is held to these: a model that is certain and wrong must be possible to contradict. */
const [LEAST, MOST] = [0.02, 0.98];

/** The model's p(ad) in the light of what recurs. Hints that overlap count together. */
export function withHints(frames: readonly Scored[], hints: readonly Hint[]): Scored[] {
  return frames.map((frame) => {
    const odds = hints.reduce((sum, hint) => sum + (isIn(frame.time, hint) ? hint.odds : 0), 0);
    if (odds === 0) return frame;
    const p = Math.min(MOST, Math.max(LEAST, frame.unlike ? 0.5 : frame.probability));
    const { time } = frame;
    // What recurs is known even where the model knows nothing.
    return { time, probability: 1 / (1 + Math.exp(-(Math.log(p / (1 - p)) + odds))) };
  });
}

function isIn(time: number, { start, end }: Gap): boolean {
  return time >= start && time < end;
}

/**
 * Segments with their borders where something visibly begins or ends: an advertisement begins where a gap ends, and ends
 * where one begins, or where an airing does. None is turned around, and none vanishes.
 */
export function snapped(
  segments: readonly Segment[],
  gaps: readonly Gap[],
  hints: readonly Hint[],
): Segment[] {
  const moved = segments.map((segment) => ({ ...segment }));
  for (let i = 1; i < moved.length; i++) {
    const [before, after] = [moved[i - 1], moved[i]];
    if (before === undefined || after === undefined) continue;
    const isStart = after.label === 'ad';
    const edges = [
      ...gaps.map(({ start, end }) => (isStart ? end : start)),
      ...hints.filter(({ odds }) => odds > 0).map(({ start, end }) => (isStart ? start : end)),
    ];
    const edge = nearestTo(after.start, edges);
    if (edge === null || edge <= before.start || edge >= after.end) continue;
    before.end = edge;
    after.start = edge;
  }
  return moved;
}

function nearestTo(time: number, edges: readonly number[]): number | null {
  const near = edges.filter((edge) => Math.abs(edge - time) <= NEAR);
  return near.sort((a, b) => Math.abs(a - time) - Math.abs(b - time))[0] ?? null;
}
