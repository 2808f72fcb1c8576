import { firstIndex } from '../bisect.js';
import { bitsIn } from '../bits.js';
import type { Moments } from './moments.js';
import type { PictureWord } from './picture.js';
import { SOUND_WORDS, type SoundWord } from './sound.js';

/** A stretch of time, seconds; its end is not part of it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** A cut changes so many levels at least, and so many times as much as the pictures around it. */
const CUT_LEVELS = 6;
const CUT_TIMES = 3;
/** Pictures before and after that a cut is held against. */
const AROUND = 6;
/** A black or silent gap that divides is at least so long, seconds: one dark frame is a flicker. */
const GAP = 0.08;
/** Black pictures so close to each other are one gap: noise lights one of them. */
const JOINED = 0.1;
/** What is silent beside a black picture may begin or end so many seconds from it. */
const TOGETHER = 0.5;
/** Pictures that tell how long one lasts. */
const SOME = 2000;

interface Found {
  readonly cuts: readonly number[];
  readonly black: readonly Stretch[];
  readonly gaps: readonly Stretch[];
  readonly period: number;
}

/**
 * All that is known of a recording's pictures and sound, for looking back: some 1,500 bytes a second at 25 pictures. Filled
 * once, in order; the cuts and gaps are found when it is whole.
 */
export class Track {
  readonly #times: number[] = [];
  readonly #low: number[] = [];
  readonly #high: number[] = [];
  readonly #change: number[] = [];
  /** 1 flat, 2 black. */
  readonly #marks: number[] = [];
  readonly #sounds: number[] = [];
  readonly #silent: number[] = [];
  #found: Found | null = null;

  add({ pictures, sounds }: Moments): void {
    for (const picture of pictures) this.#picture(picture);
    for (const sound of sounds) this.#sound(sound);
    this.#found = null;
  }

  #picture({ time, low, high, change, isFlat, isBlack }: PictureWord): void {
    this.#times.push(time);
    this.#low.push(low);
    this.#high.push(high);
    this.#change.push(change);
    this.#marks.push((isFlat ? 1 : 0) | (isBlack ? 2 : 0));
  }

  #sound({ time, low, isSilent }: SoundWord): void {
    const hop = Math.round(time * SOUND_WORDS);
    this.#sounds[hop] = low;
    this.#silent[hop] = isSilent ? 1 : 0;
  }

  get count(): number {
    return this.#times.length;
  }
  get hasSound(): boolean {
    return this.#sounds.length > 0;
  }
  get end(): number {
    const last = this.#times.at(-1) ?? 0;
    return last + this.period;
  }
  /** Seconds of a picture, in the middle of all. */
  get period(): number {
    return this.#all().period;
  }

  time(index: number): number {
    return this.#times[index] ?? this.end;
  }
  isFlat(index: number): boolean {
    return ((this.#marks[index] ?? 1) & 1) !== 0;
  }
  isBlack(index: number): boolean {
    return ((this.#marks[index] ?? 0) & 2) !== 0;
  }

  /** The picture that is on at a time: the last one not after it. */
  at(time: number): number {
    const times = this.#times;
    return Math.max(0, firstIndex(times.length, (i) => (times[i] ?? 0) > time + 1e-6) - 1);
  }

  /** Bits of 63 in which two pictures differ; null where one of them is flat. */
  apart(index: number, other: Track, otherIndex: number): number | null {
    if (this.isFlat(index) || other.isFlat(otherIndex)) return null;
    const low = (this.#low[index] ?? 0) ^ (other.#low[otherIndex] ?? 0);
    return bitsIn(low) + bitsIn((this.#high[index] ?? 0) ^ (other.#high[otherIndex] ?? 0));
  }

  /** As `apart`, by whichever of three pictures next to each other is most alike: a phase is no difference. */
  leastApart(index: number, other: Track, otherIndex: number): number | null {
    return leastOf(otherIndex, (near) =>
      near < 0 || near >= other.count ? null : this.apart(index, other, near),
    );
  }

  /** Bits of 32 in which sounds differ, 16 of them a second; of three next to each other the least; null where they are silent. */
  leastSoundApart(hop: number, other: Track, otherHop: number): number | null {
    return leastOf(otherHop, (near) => this.#soundsApart(hop, other, near));
  }

  #soundsApart(hop: number, other: Track, otherHop: number): number | null {
    const [a, b] = [this.#sounds[hop], other.#sounds[otherHop]];
    if (a === undefined || b === undefined || this.#silent[hop] === 1 || other.#silent[otherHop] === 1)
      return null;
    return bitsIn(a ^ b);
  }

  /** Times of pictures that begin a shot. */
  get cuts(): readonly number[] {
    return this.#all().cuts;
  }
  get black(): readonly Stretch[] {
    return this.#all().black;
  }
  /** Black and, where there is sound, silent near it: what lies between advertisements. */
  get gaps(): readonly Stretch[] {
    return this.#all().gaps;
  }

  #all(): Found {
    if (this.#found !== null) return this.#found;
    const [black, silence] = [this.#black(), this.#silence()];
    const gaps = this.hasSound ? black.filter((gap) => silence.some((one) => isBeside(one, gap))) : black;
    this.#found = { cuts: this.#cuts(), black, gaps, period: this.#period() };
    return this.#found;
  }

  #period(): number {
    const apart = this.#times.slice(1, SOME).map((time, i) => time - (this.#times[i] ?? 0));
    return apart.sort((a, b) => a - b)[apart.length >> 1] ?? 0.04;
  }

  #cuts(): number[] {
    const cuts: number[] = [];
    this.#change.forEach((change, i) => {
      if (change < CUT_LEVELS) return;
      const around = [
        ...this.#change.slice(Math.max(0, i - AROUND), i),
        ...this.#change.slice(i + 1, i + 1 + AROUND),
      ];
      const most = around.filter((other) => other > change).length;
      const usual = around.sort((a, b) => a - b)[around.length >> 1] ?? 0;
      if (most === 0 && change >= CUT_TIMES * Math.max(1, usual)) cuts.push(this.#times[i] ?? 0);
    });
    return cuts;
  }

  #black(): Stretch[] {
    const stretches: { start: number; end: number }[] = [];
    for (let i = 0; i < this.#times.length; i++) {
      if (!this.isBlack(i)) continue;
      const [start, end] = [this.time(i), this.#times[i + 1] ?? this.time(i)];
      const open = stretches.at(-1);
      if (open !== undefined && start - open.end <= JOINED) open.end = end;
      else stretches.push({ start, end });
    }
    return stretches.filter(({ start, end }) => end - start >= GAP);
  }

  #silence(): Stretch[] {
    const stretches: { start: number; end: number }[] = [];
    this.#silent.forEach((silent, hop) => {
      if (silent !== 1) return;
      const [start, end] = [(hop - 0.5) / SOUND_WORDS, (hop + 0.5) / SOUND_WORDS];
      const open = stretches.at(-1);
      if (open !== undefined && start - open.end < 1e-6) open.end = end;
      else stretches.push({ start, end });
    });
    return stretches.filter(({ start, end }) => end - start >= GAP);
  }
}

function leastOf(middle: number, apart: (near: number) => number | null): number | null {
  let least: number | null = null;
  for (const near of [middle, middle - 1, middle + 1]) {
    const bits = apart(near);
    if (bits !== null && (least === null || bits < least)) least = bits;
  }
  return least;
}

function isBeside(one: Stretch, gap: Stretch): boolean {
  return one.start < gap.end + TOGETHER && one.end > gap.start - TOGETHER;
}
