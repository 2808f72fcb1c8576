import { SHORTEST } from './finder.js';
import { type Match, mappedBy, partOf } from './match.js';
import type { Track } from './track.js';

/** A gap divides when its twin is there in the other place, so many seconds off at most. */
const TWIN = 0.4;
/** Nearer to an end than this, seconds, a gap is the end. */
const INNER = 1.5;

/** A match divided at the black and silent gaps within it: what is on both sides are two spots that aired together. */
export function dividedAtGaps(match: Match, a: Track, b: Track): Match[] {
  const there = mappedBy(match);
  const gaps = a.gaps.filter(
    ({ start, end }) =>
      start > match.a.start + INNER &&
      end < match.a.end - INNER &&
      b.gaps.some((twin) => twin.start < there(end) + TWIN && twin.end > there(start) - TWIN),
  );
  if (gaps.length === 0) return [match];
  const starts = [match.a.start, ...gaps.map(({ end }) => end)];
  const ends = [...gaps.map(({ start }) => start), match.a.end];
  return starts.flatMap((start, i) => {
    const end = ends[i] ?? start;
    if (end - start < SHORTEST) return [];
    const twin = { start: edgeNear(b, there(start), 'end'), end: edgeNear(b, there(end), 'start') };
    return [partOf(match, { start, end }, twin)];
  });
}

/** The border of the gap next to a time: where it ends a piece begins, and the other way round. */
function edgeNear(track: Track, time: number, edge: 'start' | 'end'): number {
  const near = track.gaps.map((gap) => gap[edge]).filter((one) => Math.abs(one - time) <= TWIN);
  return near.sort((x, y) => Math.abs(x - time) - Math.abs(y - time))[0] ?? time;
}
