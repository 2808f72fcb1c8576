import { formatClock } from '../clock.js';

/** What PageUp and PageDown go by, seconds. */
const PAGE = 30;
const STEPS = new Map([
  ['ArrowUp', 1],
  ['ArrowDown', -1],
  ['PageUp', PAGE],
  ['PageDown', -PAGE],
  ['Home', Number.NEGATIVE_INFINITY],
  ['End', Number.POSITIVE_INFINITY],
]);

/** Where a key of a slider (by ARIA's practices) moves the playhead, seconds; null for other keys. */
export function slidTo(key: string, time: number, duration: number): number | null {
  const step = STEPS.get(key);
  return step === undefined ? null : Math.min(duration, Math.max(0, time + step));
}

/** While it plays it stays the same: a screen reader says each change, and would never be silent. */
export const playheadWords = (time: number, frame: number, isPlaying: boolean): string =>
  isPlaying ? 'playing' : `${formatClock(time, 3)}, frame ${frame}`;
