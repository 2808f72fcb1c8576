import { bitsIn } from '../bits.js';
import { KEYS, type Word } from './words.js';

/** Bytes a second of what is kept: three words, two chains, and what of them counts. */
export const BYTES_A_SECOND = 21;
/** Bits by which a picture differs from that a second before, from which on it is news. */
const NEW_PICTURE_BITS = 12;
const NEW_SOUND_BITS = 8;
const HAS_SOUND = 1;
const HAS_PICTURE = 2;

export interface Kept {
  readonly sound: number | null;
  readonly low: number;
  readonly high: number;
  readonly hasPicture: boolean;
  /** 0 to 1: how much of what is here was not there a second before. What stands still says the same again and again. */
  readonly soundNews: number;
  readonly pictureNews: number;
}

/**
 * What was there in each second, for so many seconds back: one word of sound, one of the picture, and for each of both
 * the chain of the seconds before it with the same key. Its size is that of its arrays.
 */
export class Memory {
  readonly #seconds: number;
  readonly #sound: Uint32Array;
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  readonly #soundBefore: Uint32Array;
  readonly #pictureBefore: Uint32Array;
  readonly #marks: Uint8Array;
  readonly #soundLast = new Uint32Array(KEYS);
  readonly #pictureLast = new Uint32Array(KEYS);
  #newest = 0;

  /** `seconds`: how far it reaches back; 2,592,000 are thirty days and 54 MB. */
  constructor(seconds: number) {
    this.#seconds = seconds;
    this.#sound = new Uint32Array(seconds);
    this.#low = new Uint32Array(seconds);
    this.#high = new Uint32Array(seconds);
    this.#soundBefore = new Uint32Array(seconds);
    this.#pictureBefore = new Uint32Array(seconds);
    this.#marks = new Uint8Array(seconds);
  }

  get bytes(): number {
    return this.#seconds * BYTES_A_SECOND + 2 * KEYS * 4;
  }

  /** Seconds are counted from 1 and only go up; those that are left out are empty. Null: nothing that can be known again. */
  keep(second: number, sound: Word | null, picture: Word | null): void {
    for (let empty = Math.max(this.#newest + 1, second - this.#seconds); empty < second; empty++)
      this.#marks[empty % this.#seconds] = 0;
    const before = this.at(second - 1);
    const at = second % this.#seconds;
    let marks = 0;
    if (sound !== null) {
      const changed = before?.sound == null ? NEW_SOUND_BITS : bitsIn(before.sound ^ sound.low);
      marks |= HAS_SOUND | (quantized(changed / NEW_SOUND_BITS) << 2);
      this.#sound[at] = sound.low;
      this.#soundBefore[at] = chained(this.#soundLast, sound.low, second);
    }
    if (picture !== null) {
      const changed =
        before === null || !before.hasPicture
          ? NEW_PICTURE_BITS
          : bitsIn(before.low ^ picture.low) + bitsIn(before.high ^ picture.high);
      marks |= HAS_PICTURE | (quantized(changed / NEW_PICTURE_BITS) << 5);
      this.#low[at] = picture.low;
      this.#high[at] = picture.high;
      this.#pictureBefore[at] = chained(this.#pictureLast, picture.low, second);
    }
    this.#marks[at] = marks;
    this.#newest = second;
  }

  /** What is kept of a second; null where nothing is, or not any more. */
  at(second: number): Kept | null {
    if (second < 1 || second > this.#newest || second <= this.#newest - this.#seconds) return null;
    const at = second % this.#seconds;
    const marks = this.#marks[at] ?? 0;
    if ((marks & (HAS_SOUND | HAS_PICTURE)) === 0) return null;
    return {
      sound: marks & HAS_SOUND ? (this.#sound[at] ?? 0) : null,
      low: this.#low[at] ?? 0,
      high: this.#high[at] ?? 0,
      hasPicture: (marks & HAS_PICTURE) !== 0,
      soundNews: newsOf(marks >>> 2),
      pictureNews: newsOf(marks >>> 5),
    };
  }

  /** The seconds with a key, newest first, at most so many. */
  *withSound(key: number, most: number): Generator<number> {
    yield* this.#chain(this.#soundLast[key] ?? 0, this.#soundBefore, most);
  }
  *withPicture(key: number, most: number): Generator<number> {
    yield* this.#chain(this.#pictureLast[key] ?? 0, this.#pictureBefore, most);
  }

  *#chain(from: number, before: Uint32Array, most: number): Generator<number> {
    // What was overwritten since ends the chain: it only leads further back.
    const oldest = Math.max(0, this.#newest - this.#seconds);
    for (let second = from, count = 0; second > oldest && count < most; count++) {
      yield second;
      const next = before[second % this.#seconds] ?? 0;
      if (next >= second) return;
      second = next;
    }
  }
}

/** Puts a second at the head of its key's chain; gives the one that was there. */
function chained(last: Uint32Array, low: number, second: number): number {
  const key = low & (KEYS - 1);
  const before = last[key] ?? 0;
  last[key] = second;
  return before;
}

/** Three bits. */
function quantized(news: number): number {
  return Math.round(7 * Math.min(1, news));
}
function newsOf(bits: number): number {
  return (bits & 7) / 7;
}
