import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { LabelledPicture, SampleSource, ScoredSample, Split } from '../ports.js';
import { differenceHash, type Hash } from './alike.js';
import type { LoadedModel } from './models.js';

interface PicturesOptions {
  readonly preprocess: Pick<Preprocess, 'width' | 'height'>;
  /** Of the head; 1 where it is not known. */
  readonly temperature?: number;
  /** One picture of so many is scored. */
  readonly every?: number;
  /** After each picture, scored or not. */
  readonly onPicture?: () => void;
  readonly signal?: AbortSignal;
}
interface SplitOptions {
  readonly threads: number;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
export interface ScoredSplit {
  readonly scored: readonly ScoredSample[];
  /** The difference hash of each picture. */
  readonly hashes: readonly Hash[];
  /** What the model's last layer reads of each picture; empty rows where its file does not tell. */
  readonly features: readonly Float32Array[];
}

/** A line a minute is enough to see that it goes on. */
const SAY_EVERY = 1000;
/** An INT8 file says 0 and 1 of what is nearer to them than half a step of its output. */
const HALF_STEP = 1 / 512;

/** A split through a model file, as the Pi runs it. What it is without its temperature is not known here. */
export async function scoreSplit(
  { file, manifest }: LoadedModel,
  runtime: TfliteRuntime,
  source: SampleSource,
  split: Split,
  { threads, say, signal }: SplitOptions,
): Promise<ScoredSplit> {
  const { preprocess } = manifest;
  using classifier = new AdClassifier(await runtime.open(file, { threads }), preprocess);
  let seen = 0;
  const onPicture = () => {
    seen += 1;
    if (seen % SAY_EVERY === 0) say(`  ${split}: ${seen} pictures`);
  };
  const pictures = source.read(split, preprocess, signal);
  return await scorePictures(classifier, pictures, { preprocess, onPicture, ...(signal && { signal }) });
}

/** Pictures at the model's input size through the model. */
export async function scorePictures(
  classifier: AdClassifier,
  pictures: AsyncIterable<LabelledPicture>,
  { preprocess: { width, height }, temperature = 1, every = 1, onPicture, signal }: PicturesOptions,
): Promise<ScoredSplit> {
  const scored: ScoredSample[] = [];
  const [hashes, features]: [Hash[], Float32Array[]] = [[], []];
  let seen = 0;
  for await (const { pixels, ...sample } of pictures) {
    if (seen++ % every === 0) {
      const judged = await classifier.judge(pixels);
      const probability = Math.min(1, Math.max(0, judged.probability));
      const before = temperature === 1 ? probability : uncalibrated(probability, temperature);
      scored.push({ ...sample, probability, uncalibrated: before });
      hashes.push(differenceHash(pixels, width, height));
      features.push(judged.features);
    }
    onPicture?.();
    signal?.throwIfAborted();
  }
  return { scored, hashes, features };
}

/** p = sigmoid(z / T) -> sigmoid(z). */
function uncalibrated(probability: number, temperature: number): number {
  const p = Math.min(1 - HALF_STEP, Math.max(HALF_STEP, probability));
  return 1 / (1 + Math.exp(-temperature * Math.log(p / (1 - p))));
}
