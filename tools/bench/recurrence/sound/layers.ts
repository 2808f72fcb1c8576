import { addCrowd, addRoom } from './crowd.js';
import { addMusic } from './music.js';
import { addSpeech } from './speech.js';

/**
 * One of the sounds that are heard together. The same kind and seed sound the same from their beginning on, however long
 * they play, and whatever plays beside them: so two spots can share their music, and one spot can have two voices.
 */
export interface Layer {
  readonly kind: 'music' | 'speech' | 'crowd' | 'room';
  readonly seed: string;
  /** 1: as loud as an advertisement's music. */
  readonly level: number;
}

const MAKERS = { music: addMusic, speech: addSpeech, crowd: addCrowd, room: addRoom } as const;
/** What makes layers of level 1 about as loud as each other: a tenth of full scale on average. */
const LOUDNESS = { music: 0.6, speech: 0.08, crowd: 0.35, room: 0.3 } as const;

/** Signed 16-bit mono, `count` samples; without layers silence. Loud places are rounded off, as a limiter does. */
export function mixed(layers: readonly Layer[], count: number): Int16Array {
  const sum = new Float32Array(count);
  for (const { kind, seed, level } of layers) MAKERS[kind](sum, seed, level * LOUDNESS[kind]);
  const samples = new Int16Array(count);
  for (let i = 0; i < count; i++) samples[i] = Math.round(32_000 * Math.tanh(sum[i] ?? 0));
  return samples;
}
