import { type Random, seeded } from '@adbreak/shared/random.js';
import { SAMPLE_RATE } from './rate.js';

const TABLE = 2048;
const SCALES = [
  [0, 2, 4, 5, 7, 9, 11],
  [0, 2, 3, 5, 7, 8, 10],
  [0, 2, 4, 7, 9],
  [0, 3, 5, 7, 10],
] as const;
const PROGRESSIONS = [
  [0, 4, 5, 3],
  [0, 5, 3, 4],
  [5, 3, 0, 4],
  [0, 3, 4, 3],
  [0, 2, 3, 4],
] as const;
/** Eighth notes in a bar. */
const STEPS = 8;
/** How often a bar plays the motif again, and not something new. */
const AGAIN = 0.5;

interface Instrument {
  readonly wave: Float32Array;
  /** Seconds until it is at its loudest, and until it has faded to a third. */
  readonly attack: number;
  readonly decay: number;
}

interface Voice {
  readonly hertz: number;
  readonly seconds: number;
  readonly level: number;
}

/** Melody, chords, bass and drums in a key and a tempo, with instruments of their own. */
export function addMusic(sum: Float32Array, seed: string, level: number): void {
  const random = seeded(`music/${seed}`);
  const step = 60 / random.between(84, 156) / 2;
  const root = 55 * 2 ** (random.integer(12) / 12);
  const scale = random.pick(SCALES);
  const progression = random.pick(PROGRESSIONS);
  const lead = instrument(random.fork('lead'), [0.01, 0.06], [0.15, 0.8]);
  const pad = instrument(random.fork('pad'), [0.02, 0.2], [0.6, 2]);
  const bass = instrument(random.fork('bass'), [0.005, 0.02], [0.2, 0.5]);
  const drums = drumPattern(random.fork('drums'));
  const motif = melody(random, scale.length);
  const hertz = (degree: number, octave: number) => {
    const around = Math.floor(degree / scale.length);
    const tone = scale[degree - around * scale.length] ?? 0;
    return root * 2 ** (octave + around + tone / 12);
  };
  const bars = Math.ceil(sum.length / SAMPLE_RATE / (step * STEPS));
  for (let bar = 0; bar < bars; bar++) {
    const at = bar * STEPS * step;
    const chord = progression[bar % progression.length] ?? 0;
    const notes = random.uniform() < AGAIN ? motif : melody(random, scale.length);
    for (const third of [0, 2, 4])
      play(sum, pad, at, { hertz: hertz(chord + third, 1), seconds: STEPS * step, level: level * 0.16 });
    notes.forEach((degree, i) => {
      const tone = { seconds: step * 1.8, level: level * 0.4 };
      if (degree !== null) play(sum, lead, at + i * step, { ...tone, hertz: hertz(chord + degree, 2) });
      const low = { hertz: hertz(chord, 0), seconds: step * 1.5, level: level * 0.4 };
      if (drums.bass[i]) play(sum, bass, at + i * step, low);
      if (drums.kick[i]) kick(sum, at + i * step, level * 0.6);
      if (drums.snare[i])
        noise(sum, at + i * step, { random, seconds: 0.12, level: level * 0.35, bright: 0.4 });
      if (drums.hat[i])
        noise(sum, at + i * step, { random, seconds: 0.04, level: level * 0.2, bright: 0.95 });
    });
  }
}

/** Degrees of the scale above the chord; null is a rest. */
function melody(random: Random, degrees: number): (number | null)[] {
  let degree = random.integer(degrees);
  return Array.from({ length: STEPS }, () => {
    degree += random.integer(5) - 2;
    return random.uniform() < 0.3 ? null : degree;
  });
}

function drumPattern(random: Random): Record<'kick' | 'snare' | 'hat' | 'bass', boolean[]> {
  const steps = (chance: (i: number) => number) =>
    Array.from({ length: STEPS }, (_, i) => random.uniform() < chance(i));
  const plays = random.uniform() < 0.75 ? 1 : 0;
  return {
    kick: steps((i) => plays * (i % 4 === 0 ? 0.95 : 0.2)),
    snare: steps((i) => plays * (i % 4 === 2 ? 0.9 : 0.08)),
    hat: steps(() => plays * 0.6),
    bass: steps((i) => (i % 2 === 0 ? 0.7 : 0.25)),
  };
}

function instrument(
  random: Random,
  attack: readonly [number, number],
  decay: readonly [number, number],
): Instrument {
  const partials = Array.from(
    { length: 7 },
    (_, i) => random.uniform() / (i + 1) ** random.between(0.4, 1.8),
  );
  const norm = partials.reduce((sum, one) => sum + one, 0.01);
  const wave = Float32Array.from({ length: TABLE }, (_, i) =>
    partials.reduce((sum, one, k) => sum + (one / norm) * Math.sin((2 * Math.PI * (k + 1) * i) / TABLE), 0),
  );
  return { wave, attack: random.between(...attack), decay: random.between(...decay) };
}

function play(sum: Float32Array, { wave, attack, decay }: Instrument, at: number, voice: Voice): void {
  const from = Math.round(at * SAMPLE_RATE);
  const count = Math.min(Math.round(voice.seconds * SAMPLE_RATE), sum.length - from);
  const pace = (voice.hertz * TABLE) / SAMPLE_RATE;
  const fade = Math.exp(-1 / (decay * SAMPLE_RATE));
  const rise = 1 / (attack * SAMPLE_RATE);
  const release = Math.round(0.02 * SAMPLE_RATE);
  let loud = voice.level;
  for (let i = 0; i < count; i++) {
    const edge = Math.min(1, i * rise, (count - i) / release);
    sum[from + i] = (sum[from + i] ?? 0) + loud * edge * (wave[Math.floor(i * pace) % TABLE] ?? 0);
    loud *= fade;
  }
}

function kick(sum: Float32Array, at: number, level: number): void {
  const from = Math.round(at * SAMPLE_RATE);
  const count = Math.min(Math.round(0.16 * SAMPLE_RATE), sum.length - from);
  let phase = 0;
  for (let i = 0; i < count; i++) {
    const t = i / SAMPLE_RATE;
    phase += (2 * Math.PI * (48 + 110 * Math.exp(-t * 30))) / SAMPLE_RATE;
    sum[from + i] = (sum[from + i] ?? 0) + level * Math.sin(phase) * Math.exp(-t * 18);
  }
}

interface Burst {
  readonly random: Random;
  readonly seconds: number;
  readonly level: number;
  /** 0: all frequencies alike; towards 1 only high ones. */
  readonly bright: number;
}

function noise(sum: Float32Array, at: number, { random, seconds, level, bright }: Burst): void {
  const from = Math.round(at * SAMPLE_RATE);
  // All of it is drawn, also what is cut off: what comes later must not depend on how long the music plays.
  const count = Math.round(seconds * SAMPLE_RATE);
  let last = 0;
  for (let i = 0; i < count; i++) {
    const white = random.uniform() * 2 - 1;
    const value = level * (white - bright * last) * Math.exp((-4 * i) / count);
    last = white;
    if (from + i < sum.length) sum[from + i] = (sum[from + i] ?? 0) + value;
  }
}
