import { lastUntil } from './frames.js';

/** Which pieces of a recording a player wants, and what it can forget: arithmetic, no player. */
export interface PlayPlan {
  /** Borders of the pieces, seconds: piece n ends where n + 1 starts, the last at the duration. */
  readonly starts: readonly number[];
  readonly duration: number;
  /** Where the playhead is, seconds. */
  readonly at: number;
  /** Seconds of media a second; 0 while it stands. */
  readonly speed: number;
}

/** Seconds of waiting that are loaded ahead, and of media where it stands. */
const AHEAD_WAIT = 12;
const AHEAD_STANDING = 8;
const BEHIND = 6;
/** What is kept beyond the wanted before it is thrown away, seconds. */
const KEPT_BEHIND = 60;
const KEPT_AHEAD = 180;

export function pieceAt(starts: readonly number[], time: number): number {
  return lastUntil(starts, time);
}

export function pieceEnd(starts: readonly number[], piece: number, duration: number): number {
  return starts[piece + 1] ?? duration;
}

/** The pieces wanted, the most urgent first: that under the playhead, those ahead, then the one before. */
export function wantedPieces({ starts, duration, at, speed }: PlayPlan): number[] {
  if (starts.length === 0) return [];
  const now = pieceAt(starts, at);
  const until = Math.min(duration, at + Math.max(AHEAD_STANDING, AHEAD_WAIT * speed));
  const last = pieceAt(starts, until);
  const ahead = Array.from({ length: last - now + 1 }, (_, i) => now + i);
  const before = pieceAt(starts, Math.max(0, at - BEHIND));
  return before < now ? [...ahead, now - 1] : ahead;
}

/** The stretches that can be forgotten, of those that are loaded: [start, end] each. */
export function forgettable(
  loaded: readonly (readonly [number, number])[],
  at: number,
  speed: number,
): [number, number][] {
  const from = at - KEPT_BEHIND;
  const to = at + KEPT_AHEAD * Math.max(1, speed / 2);
  return loaded.flatMap(([start, end]): [number, number][] => [
    ...(start < from ? [[start, Math.min(end, from)] as [number, number]] : []),
    ...(end > to ? [[Math.max(start, to), end] as [number, number]] : []),
  ]);
}

/** Whether one moment is loaded. */
export const isLoaded = (loaded: readonly (readonly [number, number])[], time: number): boolean =>
  loaded.some(([start, end]) => time >= start && time < end);
