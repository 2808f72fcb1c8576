import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { SampleSource, ScoredSample, Split } from '../ports.js';
import { differenceHash, type Hash } from './alike.js';
import type { LoadedModel } from './models.js';

interface ScoreOptions {
  readonly threads: number;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
export interface ScoredSplit {
  readonly scored: readonly ScoredSample[];
  /** The difference hash of each picture. */
  readonly hashes: readonly Hash[];
}

/** A line a minute is enough to see that it goes on. */
const SAY_EVERY = 1000;

/** A split through a model file, as the Pi runs it. What it is without its temperature is not known here. */
export async function scoreSplit(
  { file, manifest }: LoadedModel,
  runtime: TfliteRuntime,
  source: SampleSource,
  split: Split,
  { threads, say, signal }: ScoreOptions,
): Promise<ScoredSplit> {
  const { preprocess } = manifest;
  using classifier = new AdClassifier(await runtime.open(file, { threads }), preprocess);
  const scored: ScoredSample[] = [];
  const hashes: Hash[] = [];
  for await (const { pixels, ...sample } of source.read(split, preprocess, signal)) {
    const probability = Math.min(1, Math.max(0, await classifier.adProbability(pixels)));
    scored.push({ ...sample, probability, uncalibrated: probability });
    hashes.push(differenceHash(pixels, preprocess.width, preprocess.height));
    if (scored.length % SAY_EVERY === 0) say(`  ${split}: ${scored.length} pictures`);
  }
  return { scored, hashes };
}
