import { type Evidence, evidenceOf, NOTHING } from './likeness.js';
import type { Memory } from './memory.js';
import type { PictureWord } from './picture.js';
import { SOUND_WORDS, type SoundWord } from './sound.js';
import { probesOf } from './words.js';

/** A stretch that was there before: seconds of the stream, and of the stream that was kept. */
export interface Seen {
  readonly start: number;
  readonly end: number;
  /** Seconds between the two at the start and at the end: they differ where one plays faster. */
  readonly lag: number;
  readonly lagAtEnd: number;
  /** Logarithm of the odds that it is the same against that it is another (nats). */
  readonly score: number;
  /** Of `score`, what sound said, and what the picture said; below 0 against it. */
  readonly sound: number;
  readonly picture: number;
}

/** Shortest stretch, seconds. */
export const SHORTEST = 4;
/** What airs again within these seconds is a shot that goes on. */
const LEAST_LAG = 5;
/** Seconds that can be looked at again: the longest stretch that is dated from its beginning. */
const HISTORY = 180;
/** Keys that are looked for beside a word's own: each of so many bits turned, and pairs of them. */
const SOUND_TURNS = 3;
const PICTURE_TURNS = 2;
/** Hops from one picture that is asked about to the next. */
const PICTURE_HOPS = 2;
/** So many earlier seconds with a key are looked at, the newest first. */
const CHAIN = 48;
/** Votes for one lag within so many seconds that make it worth a look. */
const VOTES = 2;
const VOTING_SECONDS = 8;
/** Lags of a quarter of a second are one. */
const BIN = SOUND_WORDS / 4;
/** Seconds that a look takes into account, and the odds from which it is followed. */
const LOOK = 8;
const OPEN = 6;
/** Odds that a stretch must have lost since its best to be over: it is dated to the best. */
const DROP = 8;
const WORTH = 10;
/** Seconds in which nothing could be known: black and silent. */
const BLIND = 12;
/** Followed at once: of a spot that aired a thousand times the newest suffice. */
const FOLLOWED = 8;
/** Hops that a lag may be off when it is looked at; then it follows, by one at a time: half a percent are one in 12 s. */
const SLACK = 3;
/** Odds that a neighbouring lag must have been better by, lately. */
const MOVES = 1;

/** Hops around a moment that its picture is looked for at, the nearest first: of two a second one is within four. */
const NEAREST = [0, 1, -1, 2, -2, 3, -3, 4, -4] as const;

interface Trail {
  lag: number;
  readonly startLag: number;
  readonly start: number;
  at: number;
  total: Evidence;
  best: { readonly at: number; readonly lag: number; readonly total: Evidence };
  blind: number;
  /** How much better the neighbours fitted lately. */
  readonly neighbours: [number, number];
}

/**
 * "Seen before, from when to when", of a stream of sound and pictures, with bounded memory. Kept is one word of each a
 * second, asked are all of them: so whatever its phase, one that was kept meets one that is asked. Time is in seconds
 * and only goes up; pictures and sound come in the order of time, each in its own.
 */
export class Finder {
  readonly #memory: Memory;
  readonly #sounds: (SoundWord | undefined)[] = new Array(HISTORY * SOUND_WORDS);
  readonly #pictures: (PictureWord | undefined)[] = new Array(HISTORY * SOUND_WORDS);
  readonly #votes = new Map<number, { count: number; second: number }>();
  #trails: Trail[] = [];
  #hop = 0;
  /** The hop of the last picture that was asked about. */
  #askedAt = 0;
  /** The second up to which everything was taken. */
  #done = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Takes both of some stretch of time up to `time`; gives what ended. */
  push(sounds: readonly SoundWord[], pictures: readonly PictureWord[], time: number): Seen[] {
    for (const word of sounds) this.#take(this.#sounds, word);
    for (const word of pictures) this.#take(this.#pictures, word);
    const seen: Seen[] = [];
    // A second is whole when the one after it has begun: the stored word of it may be a little late.
    while (this.#done + 2 <= time) seen.push(...this.#second(++this.#done));
    return seen;
  }

  /** The stream is over, or jumps: what is open ends. The next begins at the time given, later than all before. */
  cut(next: number): Seen[] {
    const seen = [
      ...this.push([], [], Math.ceil(this.#hop / SOUND_WORDS) + 2),
      ...this.#trails.flatMap(closed),
    ];
    this.#trails = [];
    this.#votes.clear();
    this.#sounds.fill(undefined);
    this.#pictures.fill(undefined);
    this.#done = Math.max(this.#done, Math.floor(next) - 1);
    return seen;
  }

  #take<W extends { readonly time: number }>(ring: (W | undefined)[], word: W): void {
    const hop = Math.round(word.time * SOUND_WORDS);
    for (let empty = Math.max(this.#hop + 1, hop - ring.length); empty <= hop; empty++) {
      this.#sounds[empty % ring.length] = undefined;
      this.#pictures[empty % ring.length] = undefined;
    }
    this.#hop = Math.max(this.#hop, hop);
    ring[hop % ring.length] ??= word;
  }

  #second(second: number): Seen[] {
    const first = second * SOUND_WORDS;
    for (let hop = first; hop < first + SOUND_WORDS; hop++) this.#ask(hop, second);
    const seen = [...this.#follow(second), ...this.#open(second)];
    const sound = at(this.#sounds, first);
    this.#memory.keep(second, sound === undefined || sound.isSilent ? null : sound, this.#pictureNear(first));
    return seen;
  }

  /** The first picture from a hop on, within a second: what there is of a device that looks twice a second. */
  #pictureNear(hop: number): PictureWord | null {
    for (let near = hop; near < hop + SOUND_WORDS; near++) {
      const word = at(this.#pictures, near);
      if (word !== undefined && !word.isFlat) return word;
    }
    return null;
  }

  #ask(hop: number, second: number): void {
    const sound = at(this.#sounds, hop);
    if (sound !== undefined && !sound.isSilent)
      for (const key of probesOf(sound, SOUND_TURNS))
        for (const kept of this.#memory.withSound(key, CHAIN)) this.#vote(hop - kept * SOUND_WORDS, second);
    const picture = at(this.#pictures, hop);
    // Of 25 a second each third is enough: the word that was kept is at most so far away.
    if (picture === undefined || picture.isFlat || hop - this.#askedAt < PICTURE_HOPS) return;
    this.#askedAt = hop;
    for (const key of probesOf(picture, PICTURE_TURNS))
      for (const kept of this.#memory.withPicture(key, CHAIN)) this.#vote(hop - kept * SOUND_WORDS, second);
  }

  #vote(lag: number, second: number): void {
    if (lag < LEAST_LAG * SOUND_WORDS) return;
    const bin = Math.floor(lag / BIN);
    const known = this.#votes.get(bin);
    if (known === undefined || second - known.second > VOTING_SECONDS)
      this.#votes.set(bin, { count: 1, second });
    // Of one second a bin counts once: what stands still would vote sixteen times.
    else if (known.second !== second) {
      known.count += 1;
      known.second = second;
    }
  }

  /** Follows what votes speak for; gives what had to make room. */
  #open(second: number): Seen[] {
    const seen: Seen[] = [];
    for (const [bin, { count, second: last }] of this.#votes) {
      if (second - last > VOTING_SECONDS) this.#votes.delete(bin);
      else if (last === second && count >= VOTES) seen.push(...this.#lookAt(bin * BIN + BIN / 2, second));
    }
    return seen;
  }

  #lookAt(near: number, second: number): Seen[] {
    if (this.#trails.some(({ lag }) => Math.abs(lag - near) <= 2 * BIN)) return [];
    let best: { lag: number; odds: number } | null = null;
    for (let lag = near - SLACK; lag <= near + SLACK; lag++) {
      let odds = 0;
      for (let back = 0; back < LOOK; back++) odds += this.#evidence(second - back, lag).odds;
      if (best === null || odds > best.odds) best = { lag, odds };
    }
    if (best === null || best.odds < OPEN) return [];
    this.#trails.push(this.#trailFrom(second, best.lag));
    if (this.#trails.length <= FOLLOWED) return [];
    const weakest = this.#trails.reduce(weaker);
    this.#trails = this.#trails.filter((trail) => trail !== weakest);
    return closed(weakest);
  }

  /** A trail up to this second, dated back to where it began. */
  #trailFrom(second: number, lag: number): Trail {
    let total = NOTHING;
    let best = { second, total: NOTHING, lag };
    let blind = 0;
    let [at, drifting] = [second, lag];
    for (; at > second - HISTORY + 2 && blind < BLIND; at--) {
      const steps = [drifting, drifting - 1, drifting + 1].map((l) => ({ l, e: this.#evidence(at, l) }));
      const chosen = steps.reduce((a, b) => (b.e.odds > a.e.odds + 1 ? b : a));
      drifting = chosen.l;
      blind = chosen.e.isBlind ? blind + 1 : 0;
      total = sumOf(total, chosen.e);
      if (total.odds >= best.total.odds && !chosen.e.isBlind) best = { second: at, total, lag: drifting };
      if (best.total.odds - total.odds > DROP) break;
    }
    const all = best.total;
    return {
      lag,
      startLag: best.lag,
      start: best.second,
      at: second,
      total: all,
      best: { at: second, lag, total: all },
      blind: 0,
      neighbours: [0, 0],
    };
  }

  #follow(second: number): Seen[] {
    const seen: Seen[] = [];
    this.#trails = this.#trails.filter((trail) => {
      this.#step(trail, second);
      const isOver = trail.best.total.odds - trail.total.odds > DROP || trail.blind >= BLIND;
      if (isOver) seen.push(...closed(trail));
      return !isOver;
    });
    return seen;
  }

  #step(trail: Trail, second: number): void {
    const here = this.#evidence(second, trail.lag);
    ([-1, 1] as const).forEach((side, i) => {
      const gain = this.#evidence(second, trail.lag + side).odds - here.odds;
      trail.neighbours[i] = Math.max(0, 0.9 * (trail.neighbours[i] ?? 0) + gain);
    });
    trail.total = sumOf(trail.total, here);
    trail.blind = here.isBlind ? trail.blind + 1 : 0;
    if (!here.isBlind && trail.total.odds >= trail.best.total.odds)
      trail.best = { at: second, lag: trail.lag, total: trail.total };
    const [earlier, later] = trail.neighbours;
    if (Math.max(earlier, later) > MOVES) {
      trail.lag += earlier > later ? -1 : 1;
      trail.neighbours.fill(0);
    }
  }

  /** What a second of the stream says about being what was there `lag` hops before. */
  #evidence(second: number, lag: number): Evidence {
    // The kept word nearest to this second: whole seconds were kept, the lag is not one.
    const earlier = Math.round(second - lag / SOUND_WORDS);
    const kept = this.#memory.at(earlier);
    if (kept === null) return NOTHING;
    const hop = earlier * SOUND_WORDS + lag;
    return evidenceOf(kept, at(this.#sounds, hop), this.#pictureAround(hop));
  }

  #pictureAround(hop: number): PictureWord | undefined {
    for (const near of NEAREST) {
      const word = at(this.#pictures, hop + near);
      if (word !== undefined) return word;
    }
    return undefined;
  }
}

/** The word of a hop; a ring has those of another time in its places, too. */
function at<W extends { readonly time: number }>(
  ring: readonly (W | undefined)[],
  hop: number,
): W | undefined {
  const word = ring[hop % ring.length];
  return word !== undefined && Math.round(word.time * SOUND_WORDS) === hop ? word : undefined;
}

function closed({ start, startLag, best }: Trail): Seen[] {
  const { at, lag, total } = best;
  const end = at + 1;
  if (end - start < SHORTEST || total.odds < WORTH) return [];
  return [
    {
      start,
      end,
      lag: startLag / SOUND_WORDS,
      lagAtEnd: lag / SOUND_WORDS,
      score: total.odds,
      sound: total.sound,
      picture: total.picture,
    },
  ];
}

function weaker(a: Trail, b: Trail): Trail {
  return b.total.odds < a.total.odds ? b : a;
}

function sumOf(a: Evidence, b: Evidence): Evidence {
  return {
    odds: a.odds + b.odds,
    sound: a.sound + b.sound,
    picture: a.picture + b.picture,
    isBlind: a.isBlind && b.isBlind,
  };
}
