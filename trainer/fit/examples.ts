import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Schedule } from './optimizer.js';

/** Rows of features, row-major [rows, width], with their labels. */
export interface Examples {
  readonly width: number;
  readonly features: Float32Array;
  readonly isAd: readonly boolean[];
}
/** The same, each row with augmented views of its picture: an epoch shows one of them, drawn anew. */
export interface TrainingExamples extends Examples {
  readonly views: readonly Float32Array[];
}

export interface HeadSettings extends Schedule {
  readonly seed: number;
  readonly batchSize: number;
  /** Of AdamW; 0 makes it Adam. */
  readonly weightDecay: number;
  readonly l2: number;
  readonly labelSmoothing: number;
  /** Of content and of ad. */
  readonly classWeights: readonly [number, number];
  readonly dropout: number;
  readonly mixup: number;
  /** Epochs without a better validation loss before the end; null: never. */
  readonly patience: number | null;
}

/** Throws `training_failed`, by the name of the split, where it does not hold both classes. */
export function refuseOneClass(split: string, isAd: readonly boolean[]): void {
  const ads = isAd.filter(Boolean).length;
  if (ads > 0 && ads < isAd.length) return;
  throw new AdbreakError(
    'training_failed',
    `Cannot train: the split ${split} needs pictures of both ad and content; ` +
      `it has ${ads} of ad and ${isAd.length - ads} of content`,
  );
}
