import type { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { SampleSource, ScoredSample, Split } from '../ports.js';
import { progressOf } from './progress.js';

export interface Scoring {
  readonly scored: readonly ScoredSample[];
  /** How long 95 of 100 pictures took at most, on this machine, milliseconds. */
  readonly p95Ms: number;
}

/** An INT8 file says 0 and 1 of what is nearer to them than half a step of its output. */
const HALF_STEP = 1 / 512;

/** Every picture of a split through the INT8 file, as the Pi runs it. */
export async function scoreSplit(
  classifier: AdClassifier,
  split: Split,
  temperature: number,
  reading: {
    readonly samples: SampleSource;
    readonly preprocess: Preprocess;
    readonly total: number | null;
    readonly say: (line: string) => void;
    readonly signal?: AbortSignal;
  },
): Promise<Scoring> {
  const { samples, preprocess, total, say, signal } = reading;
  const scored: ScoredSample[] = [];
  const times: number[] = [];
  const progress = progressOf(`${split} through the INT8 file`, total, say);
  for await (const { pixels, ...sample } of samples.read(split, preprocess, signal)) {
    const started = performance.now();
    const probability = await classifier.adProbability(pixels);
    times.push(performance.now() - started);
    scored.push({ ...sample, probability, uncalibrated: uncalibrated(probability, temperature) });
    progress.advance();
    signal?.throwIfAborted();
  }
  progress.end();
  times.sort((a, b) => a - b);
  return { scored, p95Ms: times[Math.min(times.length - 1, Math.floor(times.length * 0.95))] ?? 0 };
}

/** p = sigmoid(z / T) -> sigmoid(z). */
export function uncalibrated(probability: number, temperature: number): number {
  const p = Math.min(1 - HALF_STEP, Math.max(HALF_STEP, probability));
  return 1 / (1 + Math.exp(-temperature * Math.log(p / (1 - p))));
}
