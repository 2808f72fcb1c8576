import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { TrainingConfig } from '../config/schema.js';
import type { SampleSource } from '../ports.js';
import { refuseOneClass, type TrainingExamples } from './examples.js';
import { type Extractor, histogramExtractor } from './extractors.js';
import { featuresOf, type Looked } from './features.js';

export interface DataRequest {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly preprocess: Preprocess;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
/** A split as the baseline sees it, in its order. */
export interface Seen {
  readonly samples: readonly Looked[];
  readonly histograms: TrainingExamples;
}
/** The same with the backbone's features. */
export interface SeenDeep extends Seen {
  readonly features: TrainingExamples;
}

/** Looks at a split without the backbone. A split without both classes is refused by its name. */
export async function seen(split: 'train' | 'val' | 'test', request: DataRequest): Promise<Seen> {
  const { samples, of } = await look(split, [histogramExtractor()], 0, request);
  const [histograms] = of;
  return histograms === undefined ? missing(split) : { samples, histograms };
}

/** Looks at a split with the backbone, and at `views` augmented views of each picture. */
export async function seenDeep(
  split: 'train' | 'val' | 'test',
  extractor: Extractor,
  views: number,
  request: DataRequest,
): Promise<SeenDeep> {
  const { samples, of } = await look(split, [extractor, histogramExtractor()], views, request);
  const [features, histograms] = of;
  return features === undefined || histograms === undefined
    ? missing(split)
    : { samples, features, histograms };
}

export function describe(name: string, { samples }: Seen): string {
  const ads = samples.filter(({ isAd }) => isAd).length;
  return `${name} ${samples.length} pictures, ${Math.round((100 * ads) / Math.max(1, samples.length))} % ad`;
}

/** Only the first extractor sees augmented views: the baseline has none. */
async function look(
  split: 'train' | 'val' | 'test',
  extractors: readonly Extractor[],
  views: number,
  request: DataRequest,
) {
  const { augmentation } = request.config.training;
  const wanted = extractors.map((extractor, i) => ({ extractor, augmentation, views: i === 0 ? views : 0 }));
  const { samples, of } = await featuresOf(split, wanted, { ...request, cache: request.config.output.cache });
  const isAd = samples.map((sample) => sample.isAd);
  refuseOneClass(split, isAd);
  return {
    samples,
    of: extractors.map(({ width }, i): TrainingExamples => {
      const [features = new Float32Array(0), ...more] = of[i] ?? [];
      return { width, features, views: more, isAd };
    }),
  };
}

function missing(split: string): never {
  throw new AdbreakError('training_failed', `Cannot train: the features of ${split} are missing`);
}
