import { PowerSpectrum } from './fft.js';
import type { Word } from './words.js';

/** Samples a second that the fingerprint is made of, mono. */
export const SOUND_RATE = 5120;
/** Words a second. */
export const SOUND_WORDS = 16;
const HOP = SOUND_RATE / SOUND_WORDS;
/** 0.4 s: so long that words at whichever phase are alike. */
const WINDOW = 2048;
/** Words are differences between moments so many hops apart, a quarter of a second. */
const APART = 4;
const BITS = 32;
const [LOWEST_HERTZ, HIGHEST_HERTZ] = [300, 2000];
/** Energy that is nothing: of full scale, below the noise of 16 bits. */
const FLOOR = 1e-7;
/** A difference of energies, in nepers, that noise does not turn. */
const SURE = 1;
/** Below this share of full scale (-52 dB) nobody hears anything. */
const SILENT = 0.0025;

export interface SoundWord extends Word {
  /** Seconds from the first sample: the middle of its window. */
  readonly time: number;
  /** Root of the mean square in its hop, 0 to 1. */
  readonly level: number;
  readonly isSilent: boolean;
}

/**
 * Sound as words of 32 bits, sixteen a second: each bit says whether a band's energy grew against its neighbour's within
 * a quarter of a second (after Haitsma and Kalker 2002; 33 bands from 300 to 2,000 Hz, evenly in their logarithm).
 * Streaming: memory is one window.
 */
export class SoundWords {
  readonly #spectrum = new PowerSpectrum(WINDOW);
  readonly #signal = new Float64Array(WINDOW);
  readonly #power = new Float64Array(WINDOW / 2);
  readonly #ring = new Float32Array(WINDOW);
  readonly #past: Float64Array[] = [];
  #count = 0;

  /** Samples from -1 to 1 at SOUND_RATE, any number of them; gives the words that they complete. */
  push(samples: Float32Array): SoundWord[] {
    const words: SoundWord[] = [];
    for (const sample of samples) {
      this.#ring[this.#count % WINDOW] = sample;
      this.#count += 1;
      if (this.#count % HOP !== 0 || this.#count < WINDOW) continue;
      const word = this.#word();
      if (word !== null) words.push(word);
    }
    return words;
  }

  #word(): SoundWord | null {
    for (let i = 0; i < WINDOW; i++)
      this.#signal[i] = (this.#ring[(this.#count + i) % WINDOW] ?? 0) * (HANN[i] ?? 0);
    this.#spectrum.of(this.#signal, this.#power);
    const bands = BANDS.map(([from, to]) => {
      let sum = FLOOR;
      for (let k = from; k < to; k++) sum += (this.#power[k] ?? 0) / WINDOW;
      return Math.log(sum);
    });
    const slopes = Float64Array.from({ length: BITS }, (_, i) => (bands[i] ?? 0) - (bands[i + 1] ?? 0));
    this.#past.push(slopes);
    if (this.#past.length <= APART) return null;
    const before = this.#past.shift() ?? slopes;
    const sureness = new Float32Array(BITS);
    let low = 0;
    for (let bit = 0; bit < BITS; bit++) {
      const difference = (slopes[bit] ?? 0) - (before[bit] ?? 0);
      if (difference > 0) low |= 1 << bit;
      sureness[bit] = Math.min(1, Math.abs(difference) / SURE);
    }
    const level = this.#level();
    const time = (this.#count - WINDOW / 2) / SOUND_RATE;
    return { time, low: low >>> 0, high: 0, sureness, level, isSilent: level < SILENT };
  }

  /** Of the hop in the middle of the window. */
  #level(): number {
    let sum = 0;
    const first = this.#count + WINDOW / 2 - HOP / 2;
    for (let i = 0; i < HOP; i++) sum += (this.#ring[(first + i) % WINDOW] ?? 0) ** 2;
    return Math.min(1, Math.sqrt(sum / HOP));
  }
}

const HANN = Float64Array.from(
  { length: WINDOW },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW),
);
/** First and last bin (not included) of each band. */
const BANDS = Array.from({ length: BITS + 1 }, (_, band): readonly [number, number] => {
  const edge = (i: number) =>
    Math.round((LOWEST_HERTZ * (HIGHEST_HERTZ / LOWEST_HERTZ) ** (i / (BITS + 1)) * WINDOW) / SOUND_RATE);
  return [edge(band), edge(band + 1)];
});
