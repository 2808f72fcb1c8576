import { firstIndex } from '../bisect.js';
import { type Seen, SHORTEST } from './finder.js';
import { SOUND_WORDS } from './sound.js';
import type { Stretch, Track } from './track.js';

/** The same material at two places, to the picture. */
export interface Match {
  readonly a: Place;
  readonly b: Place;
  /** Nats, and what of them sound and the picture said. */
  readonly score: number;
  readonly sound: number;
  readonly picture: number;
}
export interface Place extends Stretch {
  /** Which of the recordings. */
  readonly recording: number;
}

/** How far a lag may be off that was found by sixteenths of a second, seconds. */
const OFF = 0.3;
/**
 * Bits of 63 that the same picture has otherwise at most: so many, and twice what is usual in this match, within bounds.
 * What happened to a recording on its way happened to all of it.
 */
const SAME = { least: 6, times: 2, most: 16 } as const;
/** Words that tell whether the sound goes on, and bits of 32 in which it is another. */
const SOUND_STEP = 24;
const OTHER_SOUND = 13;
/** Sound that fades out becomes another before the picture does: so many seconds are no contradiction. */
const SOUND_LATE = 3;
/** The sound is followed outwards from so many seconds within. */
const SOUND_INSIDE = 15;
/** Where it is the sound that ends a stretch, the border is the cut within so many seconds before. */
const SOUND_NEAR = 2;
/** A gap so near to an end, seconds, is the end: what lies beyond it happened to look alike. */
const GAP_NEAR = 2.5;
/** So many seconds of pictures that differ, more than are the same since, end a stretch. */
const DIFFERENT = 1.5;
/** A border is looked for so far outside and inside of where it was found, seconds. */
const OUTSIDE = 10;
const INSIDE = 3;
/** A border that lies so many pictures from a cut lies on it. */
const SNAP = 3;
/** Pictures that a lag is fitted on. */
const SAMPLE = 160;
/** Bits of 63 by which two lags must fit better than one. */
const CLEARLY_BETTER = 0.2;
/** So much of a stretch may lie within its own repetition: borders are not that exact. */
const SELF = 0.1;

/** Time in b for a time in a. */
type Mapping = (time: number) => number;

/**
 * Dates a stretch that was seen before to the picture, in both places: the lag is fitted at its beginning and its end, then
 * pictures are compared outwards from within until they differ; black at its ends is not part of it; a border near a cut is
 * the cut. Null where nothing is left of it.
 */
export function matchOf(seen: Seen, a: Track, b: Track, aIndex: number, bIndex: number): Match | null {
  const map = mappingOf(seen, a, b);
  const pair = { a, b, map, same: sameBits(seen, a, b, map) };
  const start = startOf(seen, pair);
  const end = endOf(seen, pair);
  if (start === null || end === null || end.a - start.a < SHORTEST || end.b - start.b < SHORTEST) return null;
  // A loop is like itself everywhere: of what repeats within its own length nothing is a place of its own.
  if (aIndex === bIndex && end.b - start.a > SELF * (end.a - start.a)) return null;
  return {
    a: { recording: aIndex, start: start.a, end: end.a },
    b: { recording: bIndex, start: start.b, end: end.b },
    score: seen.score,
    sound: seen.sound,
    picture: seen.picture,
  };
}

/**
 * Time of b for a time of a, by whichever lag makes the pictures most alike: one lag, or, where that is clearly better, one
 * at the beginning and one at the end, straight between, as where one plays faster.
 */
function mappingOf({ start, end, lag, lagAtEnd }: Seen, a: Track, b: Track): Mapping {
  const third = (end - start) / 3;
  const whole = fitted(a, b, { start, end }, (lag + lagAtEnd) / 2);
  const first = fitted(a, b, { start, end: start + third }, lag);
  const last = fitted(a, b, { start: end - third, end }, lagAtEnd);
  const isFaster =
    Math.abs(last.lag - first.lag) <= OFF && first.cost + last.cost < 2 * (whole.cost - CLEARLY_BETTER);
  if (!isFaster) return (time) => time - whole.lag;
  const [from, to] = [start + third / 2, end - third / 2];
  const slope = (last.lag - first.lag) / (to - from);
  return (time) => time - (first.lag + slope * (time - from));
}

interface Fit {
  readonly lag: number;
  /** Bits that pictures differ in, in the middle. */
  readonly cost: number;
}

function fitted(a: Track, b: Track, { start, end }: Stretch, lag: number): Fit {
  const [from, to] = [a.at(start), a.at(end)];
  const step = Math.max(1, Math.floor((to - from) / SAMPLE));
  const fine = Math.min(a.period, b.period) / 2;
  let best: Fit = { lag, cost: Number.POSITIVE_INFINITY };
  const tries = Math.ceil(OFF / fine);
  for (let i = -tries; i <= tries; i++) {
    const cost = costOf(a, b, { from, to, step }, lag + i * fine) + 1e-3 * Math.abs(i);
    if (cost < best.cost) best = { lag: lag + i * fine, cost };
  }
  return best;
}

function costOf(
  a: Track,
  b: Track,
  { from, to, step }: { readonly from: number; readonly to: number; readonly step: number },
  lag: number,
): number {
  let [cost, count] = [0, 0];
  for (let index = from; index < to; index += step) {
    // The middle of a picture's time: at its borders its neighbour is as near.
    const apart = a.apart(index, b, b.at(a.time(index) + a.period / 2 - lag));
    if (apart === null) continue;
    cost += Math.min(apart, 2 * SAME.most);
    count += 1;
  }
  return count === 0 ? Number.POSITIVE_INFINITY : cost / count;
}

interface Border {
  readonly a: number;
  readonly b: number;
}

interface Pair {
  readonly a: Track;
  readonly b: Track;
  readonly map: Mapping;
  /** Bits up to which pictures are the same. */
  readonly same: number;
}

function sameBits({ start, end }: Stretch, a: Track, b: Track, map: Mapping): number {
  const apart: number[] = [];
  const [from, to] = [a.at(start + 1), a.at(end - 1)];
  for (let index = from; index < to; index += Math.max(1, Math.floor((to - from) / SAMPLE))) {
    const bits = leastApart(a, b, map, index);
    if (bits !== null) apart.push(bits);
  }
  const usual = apart.sort((x, y) => x - y)[apart.length >> 1] ?? 0;
  return Math.min(SAME.most, SAME.least + SAME.times * usual);
}

/** Where the pictures begin to be the same. */
function startOf({ start, end }: Seen, pair: Pair): Border | null {
  const { a, b, map } = pair;
  const middle = (start + end) / 2;
  let first = farthest(pair, a.at(Math.min(start + INSIDE, middle)), -1, start, middle);
  while (a.isBlack(first) && a.time(first) < end) first++;
  const gap = a.gaps.findLast((one) => one.end > a.time(first) && one.end < a.time(first) + GAP_NEAR);
  const at = snapped(a, gap?.end ?? a.time(first));
  return { a: at, b: snapped(b, map(at)) };
}

function endOf({ start, end }: Seen, pair: Pair): Border | null {
  const { a, b, map } = pair;
  const middle = (start + end) / 2;
  let last = farthest(pair, a.at(Math.max(end - INSIDE, middle)), 1, end, middle);
  while (last > 0 && a.isBlack(last) && a.time(last) > start) last--;
  const gap = a.gaps.find((one) => one.start < a.time(last) && one.start > a.time(last) - GAP_NEAR);
  const at = snapped(a, gap?.start ?? a.time(last + 1));
  return { a: at, b: snapped(b, map(at)) };
}

/**
 * The picture farthest out from within a match up to which more are the same than not. A shot that differs, as a fade that
 * another copy shows darker, is passed where what lies behind it is the same again; beyond the border that was found, black
 * is the end.
 */
function farthest(pair: Pair, from: number, step: 1 | -1, border: number, middle: number): number {
  const { a } = pair;
  let [best, sum, most] = [from, 0, 0];
  for (let index = from; index >= 0 && index < a.count; index += step) {
    const beyond = step * (a.time(index) - border);
    const same = isSame(pair, index);
    if (beyond > OUTSIDE || most - sum > DIFFERENT / a.period) break;
    if (same === null && beyond > 0 && a.isBlack(index)) break;
    if (same !== null) sum += same ? 1 : -1;
    if (same !== true || sum < most) continue;
    most = sum;
    best = index;
  }
  const inside = Math.min(SOUND_INSIDE, Math.abs(border - middle));
  const limit = soundLimit(pair, border - step * inside, inside + OUTSIDE, step);
  if (limit === null || step * (a.time(best) - limit) < SOUND_LATE) return best;
  return cutBefore(a, a.at(limit), step);
}

/**
 * Where the sound becomes another, walking outwards: what stands still may look as before beyond a border. Null where the
 * sound is another everywhere, as under a replay, or says nothing.
 */
function soundLimit({ a, b, map }: Pair, from: number, reach: number, step: 1 | -1): number | null {
  const apart = (hop: number) => a.leastSoundApart(hop, b, Math.round(map(hop / SOUND_WORDS) * SOUND_WORDS));
  const other = (first: number) => {
    const bits = Array.from({ length: SOUND_STEP }, (_, i) => apart(first + step * i)).filter(
      (one) => one !== null,
    );
    return bits.length < SOUND_STEP / 2
      ? null
      : bits.reduce((sum, one) => sum + one, 0) / bits.length > OTHER_SOUND;
  };
  const start = Math.round(from * SOUND_WORDS);
  if (other(start - step * SOUND_STEP) !== false) return null;
  for (let hop = start; Math.abs(hop - start) < reach * SOUND_WORDS; hop += step * (SOUND_STEP / 4))
    if (other(hop) === true) return (hop + (step * SOUND_STEP) / 4) / SOUND_WORDS;
  return null;
}

/** The picture next to the last cut on the way out, where one is near. */
function cutBefore(track: Track, index: number, step: 1 | -1): number {
  const time = track.time(index);
  const cuts = nearest(track.cuts, time, SOUND_NEAR).filter((cut) => step * (time - cut) >= 0);
  const last = step > 0 ? cuts.at(-1) : cuts[0];
  if (last === undefined) return index;
  return track.at(last + track.period / 2) - (step > 0 ? 1 : 0);
}

/** Null where a picture says nothing: flat, or its time is not in the other. The nearest of three is taken. */
function isSame({ a, b, map, same }: Pair, index: number): boolean | null {
  const apart = leastApart(a, b, map, index);
  return apart === null ? null : apart <= same;
}

function leastApart(a: Track, b: Track, map: Mapping, index: number): number | null {
  return a.leastApart(index, b, b.at(map(a.time(index) + a.period / 2)));
}

/** The cut next to a border, where one is; black's end and beginning are cuts, too. */
function snapped(track: Track, time: number): number {
  const near = SNAP * track.period;
  const edges = [...nearest(track.cuts, time, near)];
  for (const { start, end } of track.black)
    for (const edge of [start, end]) if (Math.abs(edge - time) <= near) edges.push(edge);
  const best = edges.sort((x, y) => Math.abs(x - time) - Math.abs(y - time))[0];
  if (best !== undefined) return best;
  const index = track.at(time + track.period / 2);
  return time > track.time(index) + track.period ? track.end : track.time(index);
}

/** Time in b for a time in a, straight between their borders. */
export function mappedBy({ a, b }: Pick<Match, 'a' | 'b'>): Mapping {
  const pace = (b.end - b.start) / (a.end - a.start);
  return (time) => b.start + (time - a.start) * pace;
}

/** The part of a match between two times of a, which are two of b; what speaks for it is shared by length. */
export function partOf(match: Match, a: Stretch, b: Stretch): Match {
  const share = (a.end - a.start) / (match.a.end - match.a.start);
  return {
    a: { ...match.a, start: a.start, end: a.end },
    b: { ...match.b, start: b.start, end: b.end },
    score: match.score * share,
    sound: match.sound * share,
    picture: match.picture * share,
  };
}

export function nearest(sorted: readonly number[], time: number, within: number): number[] {
  const low = firstIndex(sorted.length, (i) => (sorted[i] ?? 0) >= time - within);
  const found: number[] = [];
  for (let i = low; i < sorted.length && (sorted[i] ?? 0) <= time + within; i++) found.push(sorted[i] ?? 0);
  return found;
}
