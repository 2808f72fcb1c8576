import { type Random, seeded } from '../random.js';
import type { PictureWord } from './picture.js';
import { SOUND_WORDS, type SoundWord } from './sound.js';
import type { Word } from './words.js';

/** Pictures a second of made material. */
export const RATE = 25;

/** Material that never was: shots of some seconds with sound, by a seed. Words alone, no pictures. */
export interface Material {
  readonly pictures: readonly Word[];
  readonly sounds: readonly Word[];
}

const sure = (bits: number) => new Float32Array(bits).fill(0.7);

/** `seconds` of shots of one to three seconds, in which the picture moves a little, and of sound that moves a lot. */
export function material(seed: string, seconds: number): Material {
  const random = seeded(seed);
  const pictures: Word[] = [];
  while (pictures.length < seconds * RATE) {
    let word = anyWord(random, 63);
    const shot = Math.round(random.between(1, 3) * RATE);
    for (let i = 0; i < shot && pictures.length < seconds * RATE; i++) {
      if (i % 6 === 5) word = turned(word, random.integer(63));
      pictures.push(word);
    }
  }
  const sounds = Array.from({ length: Math.round(seconds * SOUND_WORDS) }, () => anyWord(random, 32));
  return { pictures, sounds };
}

function anyWord(random: Random, bits: number): Word {
  const half = () => random.integer(2 ** 32) >>> 0;
  return { low: half(), high: bits > 32 ? half() & 0x7fffffff : 0, sureness: sure(bits) };
}

function turned(word: Word, bit: number): Word {
  const { low, high } = word;
  return bit < 32
    ? { ...word, low: (low ^ (1 << bit)) >>> 0 }
    : { ...word, high: (high ^ (1 << (bit - 32))) >>> 0 };
}

/** Some bits of each word otherwise, as another encoder leaves them. */
export function noisy({ pictures, sounds }: Material, seed: string, share: number): Material {
  const random = seeded(seed);
  const spoiled = (word: Word) => {
    let result = word;
    for (let bit = 0; bit < word.sureness.length; bit++)
      if (random.uniform() < share) result = turned(result, bit);
    return result;
  };
  return { pictures: pictures.map(spoiled), sounds: sounds.map(spoiled) };
}

export interface Tape {
  readonly pictures: PictureWord[];
  readonly sounds: SoundWord[];
  readonly seconds: number;
}

/** Pieces one after the other, on a clock. `null` is so many seconds of black and silence. */
export function tape(pieces: readonly (Material | number)[], pace = 1): Tape {
  const pictures: PictureWord[] = [];
  const sounds: SoundWord[] = [];
  let at = 0;
  for (const piece of pieces) {
    const made = typeof piece === 'number' ? dark(piece) : piece;
    const isBlack = typeof piece === 'number';
    made.pictures.forEach((word, i) => {
      const change = i === 0 ? 40 : 1;
      pictures.push({ ...word, time: at + i / RATE / pace, isFlat: isBlack, isBlack, change });
    });
    made.sounds.forEach((word, i) => {
      sounds.push({ ...word, time: at + (i + 0.5) / SOUND_WORDS / pace, level: 0.1, isSilent: isBlack });
    });
    at += made.pictures.length / RATE / pace;
  }
  return { pictures, sounds, seconds: at };
}

function dark(seconds: number): Material {
  const word = (bits: number): Word => ({ low: 0, high: 0, sureness: sure(bits) });
  return {
    pictures: Array.from({ length: Math.round(seconds * RATE) }, () => word(63)),
    sounds: Array.from({ length: Math.round(seconds * SOUND_WORDS) }, () => word(32)),
  };
}
