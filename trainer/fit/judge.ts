import type { UnsureReference } from '@adbreak/shared/contract/manifest.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { fitUnsure } from '@adbreak/shared/unsure.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { Scored } from '../assess/ranked.js';
import { type ScoredSplit, scorePictures } from '../assess/score.js';
import type { SampleSource, ScoredSample } from '../ports.js';
import type { SeenDeep } from './data.js';
import type { Examples } from './examples.js';
import type { Head } from './head.js';
import { progressOf } from './progress.js';
import { openRemembering } from './remembered.js';

export interface JudgeRequest {
  readonly samples: SampleSource;
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  readonly normalization: { readonly mean: number; readonly std: number };
  readonly threads: number;
  readonly temperature: number;
  /** Folder in which what the file says below its last layer is kept. */
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
interface Known {
  readonly train: SeenDeep;
  readonly val: SeenDeep;
  /** Pictures of the test split. */
  readonly test: number;
}
export interface Judged {
  readonly test: ScoredSplit;
  readonly unsure: UnsureReference;
}

/** So many pictures, evenly spread, tell what training looked like, and how far from it others may be. */
const OF_TRAIN = 1500;
const OF_VALIDATION = 300;

/**
 * Every test picture through the INT8 file, as the Pi runs it, and some of val for how far their features are
 * from those of training. Training's own are the float network's, which are at hand.
 */
export async function judge(model: Uint8Array, known: Known, request: JudgeRequest): Promise<Judged> {
  const { samples, runtime, preprocess, normalization, temperature, say, signal } = request;
  using remembering = await openRemembering(model, runtime, request);
  using classifier = new AdClassifier(remembering.interpreter, normalization);
  const through = async (split: 'val' | 'test', total: number, every: number) => {
    const progress = progressOf(`${split} through the INT8 file`, total, say);
    const pictures = samples.read(split, preprocess, signal);
    const scored = await scorePictures(classifier, pictures, {
      ...{ preprocess, temperature, every, onPicture: () => progress.advance() },
      ...(signal && { signal }),
    });
    progress.end();
    await remembering.save();
    return scored;
  };
  const test = await through('test', known.test, 1);
  const pictures = known.val.samples.length;
  const val = await through('val', pictures, Math.ceil(pictures / OF_VALIDATION));
  return { test, unsure: fitUnsure(spreadOf(known.train.features, OF_TRAIN), val.features) };
}

function spreadOf({ features, width, isAd }: Examples, most: number): Float32Array[] {
  const every = Math.ceil(isAd.length / most);
  return isAd.flatMap((_, row) =>
    row % every === 0 ? [features.subarray(row * width, (row + 1) * width)] : [],
  );
}

/**
 * What the float network with its head says of a split: its features are at hand, and as INT8 it says nearly
 * the same.
 */
export function scoredByFloat({ samples, features }: SeenDeep, head: Head): ScoredSample[] {
  return predict(head, features).map(({ isAd, probability }, i) => {
    const { hash: _, ...sample } = samples[i] ?? missing();
    return { ...sample, isAd, probability, uncalibrated: probability };
  });
}

/** Rows of features -> p(ad) of each. */
export function predict({ kernel, bias }: Head, { features, width, isAd }: Examples): Scored[] {
  return isAd.map((ad, row) => {
    let margin = (bias[1] ?? 0) - (bias[0] ?? 0);
    for (let i = 0; i < width; i++)
      margin += ((kernel[width + i] ?? 0) - (kernel[i] ?? 0)) * (features[row * width + i] ?? 0);
    return { probability: 1 / (1 + Math.exp(-margin)), isAd: ad };
  });
}

function missing(): never {
  throw new RangeError('There are more features than samples');
}
