import { type Random, seeded } from '@adbreak/shared/random.js';
import { SAMPLE_RATE } from './rate.js';

/** The first three formants of vowels, hertz, for a voice of middle size. */
const VOWELS = [
  [730, 1090, 2440],
  [270, 2290, 3010],
  [300, 870, 2240],
  [530, 1840, 2480],
  [570, 840, 2410],
  [660, 1720, 2410],
  [490, 1350, 1690],
  [440, 1020, 2240],
] as const;
const BANDWIDTHS = [80, 110, 160] as const;
const GAINS = [1, 0.6, 0.3] as const;

interface Speaker {
  readonly hertz: number;
  /** Of the formants: a child's are higher. */
  readonly size: number;
  /** Seconds of a syllable on average. */
  readonly pace: number;
}

/** Babble with the rhythm, the melody and the vowels of speech, and no words: a speaker's voice is the seed's. */
export function addSpeech(sum: Float32Array, seed: string, level: number): void {
  const random = seeded(`speech/${seed}`);
  const speaker = {
    hertz: random.between(85, 230),
    size: random.between(0.85, 1.2),
    pace: random.between(0.13, 0.22),
  };
  let at = Math.round(random.between(0.05, 0.3) * SAMPLE_RATE);
  while (at < sum.length) {
    const syllables = 4 + random.integer(10);
    const [high, low] = [random.between(1.05, 1.3), random.between(0.7, 0.9)];
    for (let i = 0; i < syllables; i++) {
      const pitch = speaker.hertz * (high + ((low - high) * i) / syllables) * random.between(0.93, 1.07);
      at += consonant(sum, at, random, level);
      at += vowel(sum, at, { random, speaker, pitch, level: level * random.between(0.6, 1) });
    }
    at += Math.round(random.between(0.12, 0.7) * SAMPLE_RATE);
  }
}

/** Hissing, of a colour of its own; gives its length in samples. */
function consonant(sum: Float32Array, from: number, random: Random, level: number): number {
  const count = Math.round(random.between(0.015, 0.07) * SAMPLE_RATE);
  const [loud, bright] = [level * random.between(0.1, 0.5), random.between(-0.5, 0.95)];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const white = random.uniform() * 2 - 1;
    const value = loud * (white - bright * last) * Math.sin((Math.PI * i) / count);
    last = white;
    if (from + i < sum.length) sum[from + i] = (sum[from + i] ?? 0) + value;
  }
  return count;
}

interface Vowel {
  readonly random: Random;
  readonly speaker: Speaker;
  readonly pitch: number;
  readonly level: number;
}

/** Pulses through three resonators that glide from one vowel to another; gives its length in samples. */
function vowel(sum: Float32Array, from: number, { random, speaker, pitch, level }: Vowel): number {
  const count = Math.round(speaker.pace * random.between(0.6, 1.6) * SAMPLE_RATE);
  const [first, second] = [random.pick(VOWELS), random.pick(VOWELS)];
  const shake = random.between(3, 6);
  const resonators = BANDWIDTHS.map(
    (width, i) => new Resonator((first[i] ?? 500) * speaker.size, width, GAINS[i] ?? 0),
  );
  let phase = 0;
  for (let i = 0; i < count && from + i < sum.length; i++) {
    const progress = i / count;
    if (i % 64 === 0)
      resonators.forEach((one, k) =>
        one.tune(speaker.size * ((first[k] ?? 500) * (1 - progress) + (second[k] ?? 500) * progress)),
      );
    phase += (pitch * (1 + 0.02 * Math.sin((2 * Math.PI * shake * i) / SAMPLE_RATE))) / SAMPLE_RATE;
    const pulse = phase >= 1 ? 1 : -0.02;
    if (phase >= 1) phase -= 1;
    let value = 0;
    for (const one of resonators) value += one.step(pulse);
    sum[from + i] = (sum[from + i] ?? 0) + level * value * Math.sin(Math.PI * progress) ** 0.5;
  }
  return count;
}

/** Two poles: what a cavity of the mouth does to a pulse. */
class Resonator {
  readonly #radius: number;
  readonly #gain: number;
  #turn = 0;
  #y1 = 0;
  #y2 = 0;
  constructor(hertz: number, bandwidth: number, gain: number) {
    this.#radius = Math.exp((-Math.PI * bandwidth) / SAMPLE_RATE);
    this.#gain = gain;
    this.tune(hertz);
  }

  tune(hertz: number): void {
    this.#turn = 2 * this.#radius * Math.cos((2 * Math.PI * Math.min(hertz, 7000)) / SAMPLE_RATE);
  }

  step(input: number): number {
    const y = this.#gain * input + this.#turn * this.#y1 - this.#radius * this.#radius * this.#y2;
    this.#y2 = this.#y1;
    this.#y1 = y;
    return y;
  }
}
