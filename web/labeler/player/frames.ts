/**
 * Frames of a recording by the list of their times, seconds, ascending. Nothing here knows a frame rate: the nth frame is
 * the nth of the list, whatever lies between them.
 */
export type FrameTimes = Float64Array;

/** Players round times to microseconds, files of labels to milliseconds: both still mean the frame they came from. */
const ROUNDING = 0.0005;

/** The frame that is on at a moment; 0 before the first; -1 in an empty list. */
export function frameAt(times: FrameTimes, time: number): number {
  return times.length === 0 ? -1 : lastUntil(times, time + ROUNDING);
}

/** Of ascending values the last that is not above one, by bisection; 0 where all are. */
export function lastUntil(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Number.POSITIVE_INFINITY) <= value) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

export function timeOf(times: FrameTimes, frame: number, duration: number): number {
  return frame >= times.length ? duration : (times[Math.max(0, frame)] ?? 0);
}

/** Where to seek for a frame: in the middle of its interval no rounding leads to a neighbour. */
export function middleOf(times: FrameTimes, frame: number, duration: number): number {
  const start = timeOf(times, frame, duration);
  const end = timeOf(times, frame + 1, Math.max(duration, start));
  return start + Math.min(end - start, 1) / 2;
}

/** The nearest border between frames: a frame's time, or the end of the recording. */
export function snapped(times: FrameTimes, time: number, duration: number): number {
  if (times.length === 0) return Math.min(Math.max(0, time), duration);
  const before = timeOf(times, frameAt(times, time), duration);
  const after = timeOf(times, frameAt(times, time) + 1, duration);
  return time - before <= after - time ? before : after;
}

/** The border one frame to the left (-1) or right (+1) of a border. */
export function stepped(times: FrameTimes, time: number, by: -1 | 1, duration: number): number {
  const isEnd = time >= duration - ROUNDING;
  const frame = isEnd ? times.length : frameAt(times, time);
  return timeOf(times, Math.min(times.length, Math.max(0, frame + by)), duration);
}
