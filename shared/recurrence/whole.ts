import { lengthOf, overlapOf } from './occurrences.js';
import type { Airing, Group } from './spots.js';
import type { Track } from './track.js';

/** A border nearer to another than this, seconds, is at it. */
const AT = 0.25;
/** A piece between two borders is no longer than an advertisement. */
const LONGEST = 95;
/** So much of it must have been found elsewhere. */
const FOUND = 0.5;

/**
 * Of a spot that aired in full once and shortened elsewhere, only the shorter cut was found. Where all other airings stand
 * between two gaps, one that stands at one gap alone is as long as the piece between gaps that it is most of.
 */
export function wholeAirings(groups: readonly Group[], tracks: readonly Track[]): Group[] {
  const all = groups.flatMap(({ airings }) => airings);
  return groups.map((group) => {
    const [one, ...more] = group.airings.filter((airing) => !isBetween(airing, tracks[airing.recording]));
    if (one === undefined || more.length > 0) return group;
    const whole = wholeOf(one, tracks[one.recording]);
    const isFree = all.every((other) => other === one || overlapOf(other, whole) < AT);
    return isFree
      ? { ...group, airings: group.airings.map((airing) => (airing === one ? whole : airing)) }
      : group;
  });
}

function isBetween(airing: Airing, track: Track | undefined): boolean {
  const { start, end } = gapsAround(airing, track);
  return start !== undefined && end !== undefined && isAt(start, airing.start) && isAt(end, airing.end);
}

function wholeOf(airing: Airing, track: Track | undefined): Airing {
  const { start, end } = gapsAround(airing, track);
  if (start === undefined || end === undefined || end - start > LONGEST) return airing;
  const isAtOne = isAt(start, airing.start) || isAt(end, airing.end);
  return isAtOne && lengthOf(airing) >= FOUND * (end - start) ? { ...airing, start, end } : airing;
}

/** Where the gap before ends, and the one after begins. */
function gapsAround(airing: Airing, track: Track | undefined): { start?: number; end?: number } {
  const gaps = track?.gaps ?? [];
  const start = gaps.findLast((gap) => gap.end <= airing.start + AT)?.end;
  const end = gaps.find((gap) => gap.start >= airing.end - AT)?.start;
  return { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
}

function isAt(border: number, time: number): boolean {
  return Math.abs(border - time) <= AT;
}
