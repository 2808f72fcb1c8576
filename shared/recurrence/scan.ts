import type { Recurrence, Spot } from '../contract/labelling.js';
import { fnv1a } from '../random.js';
import { classOf, isReplayed, type Known } from './classes.js';
import { breaksOf } from './context.js';
import { Finder, type Seen, SHORTEST } from './finder.js';
import { dividedAtGaps } from './gaps.js';
import { type Match, matchOf, type Place } from './match.js';
import { Memory } from './memory.js';
import type { Moments } from './moments.js';
import { type Group, groupsOf } from './spots.js';
import { Track } from './track.js';
import { type Alike, alike, isSameMaterial } from './verify.js';
import { wholeAirings } from './whole.js';

/** Seconds between the end of a recording and the next, which nothing is kept of. */
const APART = 300;

/** A stretch of a recording: a commercial break, a gap. */
export interface Break {
  readonly recording: string;
  /** Seconds. */
  readonly start: number;
  readonly end: number;
}
export interface Found {
  readonly recurrence: Recurrence;
  /** In the order of the recordings, then of time. */
  readonly breaks: readonly Break[];
  /** Black and silent gaps, where something may begin or end. */
  readonly gaps: readonly Break[];
}

interface Recording {
  readonly name: string;
  readonly track: Track;
  /** The finder's time of its beginning, whole seconds. */
  readonly base: number;
}

/**
 * Looks for what airs more than once in recordings that are told one after the other, and then says which spots there
 * are. Needs some memory for each second (1.5 KB), and none of the pictures.
 */
export class Scan {
  readonly #finder: Finder;
  readonly #recordings: Recording[] = [];
  readonly #seen: Seen[] = [];
  /** Of matches that were looked at. */
  readonly #looks = new Map<Match, Alike>();
  #next = 1;

  /** `seconds`: of all recordings together, at least. */
  constructor(seconds: number) {
    this.#finder = new Finder(new Memory(Math.ceil(seconds) + APART));
  }

  begin(name: string): void {
    this.#seen.push(...this.#finder.cut(this.#next));
    this.#recordings.push({ name, track: new Track(), base: this.#next });
  }

  push(moments: Moments): void {
    const recording = this.#recordings.at(-1);
    if (recording === undefined) throw new RangeError('Cannot take moments: no recording has begun');
    const { base, track } = recording;
    track.add(moments);
    const later = <W extends { readonly time: number }>(word: W): W => ({ ...word, time: word.time + base });
    const until = base + moments.until;
    this.#seen.push(...this.#finder.push(moments.sounds.map(later), moments.pictures.map(later), until));
    this.#next = Math.max(this.#next, Math.ceil(until) + APART);
  }

  get #tracks(): readonly Track[] {
    return this.#recordings.map(({ track }) => track);
  }

  end(): Found {
    this.#seen.push(...this.#finder.cut(this.#next));
    const matches = strongest(this.#seen).flatMap((seen) => this.#matchesOf(seen));
    const groups = wholeAirings(groupsOf(matches), this.#tracks);
    const looks = groups.map((group) => this.#looksOf(group));
    const replayed = groups.map((group, i) => isReplayed(group, looks[i] ?? [], this.#tracks));
    const { standings, breaks } = breaksOf(groups, this.#tracks, (group) => replayed[group] ?? false);
    const ids = new Set<string>();
    const spots = groups.flatMap((group, i): Spot[] => {
      const standing = standings[i];
      if (standing === undefined) return [];
      const known = classOf(group, standing, replayed[i] ?? false);
      return [this.#spotOf(group, known, ids)];
    });
    const gaps = this.#tracks.flatMap((track, recording) => track.gaps.map((gap) => ({ recording, ...gap })));
    const named = (place: Place) => this.#named(place);
    return { recurrence: { spots }, breaks: breaks.map(named), gaps: gaps.map(named) };
  }

  #named({ recording, start, end }: Place): Break {
    return { recording: this.#recordings[recording]?.name ?? '', start: rounded(start), end: rounded(end) };
  }

  #matchesOf(seen: Seen): Match[] {
    const [at, before] = [this.#indexAt(seen.start), this.#indexAt(seen.start - seen.lag)];
    const [here, there] = [this.#recordings[at], this.#recordings[before]];
    if (here === undefined || there === undefined) return [];
    const shift = here.base - there.base;
    const local = {
      ...seen,
      start: seen.start - here.base,
      end: seen.end - here.base,
      lag: seen.lag - shift,
      lagAtEnd: seen.lagAtEnd - shift,
    };
    const match = matchOf(local, here.track, there.track, at, before);
    if (match === null) return [];
    return dividedAtGaps(match, here.track, there.track).filter((piece) => {
      const look = alike(here.track, there.track, piece);
      this.#looks.set(piece, look);
      return isSameMaterial(look) && !(look.sound >= SAME_SOUND && isWithinOne(piece, here.track));
    });
  }

  #indexAt(time: number): number {
    return this.#recordings.findLastIndex(({ base }) => base <= time + 1);
  }

  #looksOf({ matches }: Group): Alike[] {
    return matches.flatMap((match): Alike[] => {
      const known = this.#looks.get(match);
      if (known !== undefined) return [known];
      const [a, b] = [this.#recordings[match.a.recording], this.#recordings[match.b.recording]];
      return a === undefined || b === undefined ? [] : [alike(a.track, b.track, match)];
    });
  }

  #spotOf({ airings }: Group, known: Known, ids: Set<string>): Spot {
    const named = airings.map((airing) => ({
      ...this.#named(airing),
      confidence: rounded(airing.confidence),
    }));
    return { id: idOf(named[0], ids), ...known, airings: named };
  }
}

/** Lags that are nearer to each other than this, seconds, are one stretch that was followed twice: the better one counts. */
const ONE_LAG = 3;

/**
 * Of stretches that were followed twice the better; of the other what sticks out of it. Two spots that aired with a longer
 * gap between them than before have two lags, and what is slow seems to fit both.
 */
function strongest(all: readonly Seen[]): Seen[] {
  const kept: Seen[] = [];
  for (const seen of [...all].sort((x, y) => y.score - x.score)) {
    const rest = kept
      .filter((other) => Math.abs(other.lag - seen.lag) < ONE_LAG)
      .reduce<Seen | null>((left, other) => (left === null ? null : outside(left, other)), seen);
    if (rest !== null) kept.push(rest);
  }
  return kept.sort((x, y) => x.start - y.start);
}

/** The longer part of a stretch that is not in another; null where it is too short to be one. */
function outside(seen: Seen, other: Seen): Seen | null {
  if (other.start >= seen.end || other.end <= seen.start) return seen;
  const before = { ...seen, end: Math.min(seen.end, other.start), lagAtEnd: seen.lag };
  const after = { ...seen, start: Math.max(seen.start, other.end), lag: seen.lagAtEnd };
  const longer = before.end - before.start > after.end - after.start ? before : after;
  return longer.end - longer.start < SHORTEST ? null : longer;
}

/** So near to each other, seconds, with nothing black and silent between, a tune and its pictures are one spot's that repeats itself. */
const ONE_SPOT = 45;
const ADJACENT = 0.5;
const SAME_SOUND = 0.62;

/** Whether two places are parts of one spot; one that follows itself at once is aired twice. */
function isWithinOne({ a, b }: Match, track: Track): boolean {
  if (a.recording !== b.recording || a.start - b.start > ONE_SPOT || a.start - b.end < ADJACENT) return false;
  return track.gaps.every((gap) => gap.start < b.end || gap.end > a.start);
}

/** By its first airing: the same in each scan that finds that first. */
function idOf(first: Break | undefined, taken: Set<string>): string {
  const name = `${first?.recording} ${first?.start.toFixed(0)}`;
  for (let more = 0; ; more++) {
    const hash = fnv1a(more === 0 ? name : `${name} ${more}`);
    const id = `spot-${hash.toString(16).padStart(8, '0')}`;
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}

function rounded(value: number): number {
  return Math.round(1000 * Math.max(0, value)) / 1000;
}
