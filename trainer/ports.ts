import type { Preprocess } from '@adbreak/shared/video/frames.js';

/** The splits of a data set; calibration holds some of train's pictures once more, for the converter's ranges. */
export type Split = 'train' | 'val' | 'test' | 'calibration';

/** One labelled picture, as a data set knows it. */
export interface Sample {
  readonly isAd: boolean;
  /** What never crosses a split and is drawn as one by the bootstrap: a recording, a scene, a set of near-duplicates. */
  readonly group: string;
  /** A slice of the report: the channel, the recording's folder, or the picture folder. */
  readonly source: string;
  /** Where the picture can be looked at again: a file, and the second in it where the file is a recording. */
  readonly picture: { readonly path: string; readonly at: number | null };
}
export interface LabelledPicture extends Sample {
  /** RGB, height × width × 3. */
  readonly pixels: Uint8Array;
}

/** A data set that a network learns from, be it folders of pictures or recordings with labels. */
export interface SampleSource {
  /** SHA-256 over what the data set holds, in hex: caches and the manifest's lineage go by it. */
  readonly fingerprint: string;
  /** What the paths of its pictures follow from: a data set that was moved is the same one in another place. */
  readonly place: string;
  /** How many pictures a split has; of recordings about as many, by what their labels cover. */
  count(split: Split): number;
  /** Whether its labels promise pictures of a kind, without looking at any. */
  promises(split: Split, kind: 'ad' | 'content'): boolean;
  /** The same pictures in the same order at every reading. */
  read(split: Split, preprocess: Preprocess, signal?: AbortSignal): AsyncIterable<LabelledPicture>;
}

/** One epoch of one stage; losses are mean cross-entropies in nats, accuracies shares from 0 to 1. */
export interface EpochRecord {
  readonly stage: 'head' | 'cut' | 'all';
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  readonly learningRate: number;
  readonly seconds: number;
}

/** A picture of a split as the INT8 file scored it through the Pi's runtime. */
export interface ScoredSample extends Sample {
  /** The probability of an ad with the temperature in, from 0 to 1. */
  readonly probability: number;
  /** The same without the temperature. */
  readonly uncalibrated: number;
}

export interface RunHeader {
  readonly name: string;
  readonly version: string;
  /** A run that goes on keeps its start: it is followed where it was. */
  readonly startedAt: Date;
  /** The configuration, flat: `training.learning_rate` -> `0.001`. */
  readonly parameters: Readonly<Record<string, string>>;
}
export interface RunOutcome {
  readonly status: 'finished' | 'failed' | 'interrupted';
  /** `test/accuracy` -> .93 */
  readonly metrics: Readonly<Record<string, number>>;
  readonly histograms: readonly { readonly tag: string; readonly values: Float32Array }[];
  readonly pictures: readonly {
    readonly tag: string;
    readonly png: Uint8Array;
    readonly width: number;
    readonly height: number;
  }[];
  /** The scored test split, for the precision-recall curve. */
  readonly scored: readonly ScoredSample[];
  /** Files worth keeping beside the run. */
  readonly files: readonly string[];
}

/** Where a training is followed; what it throws is said once and never stops the training. */
export interface Tracker {
  begin(run: RunHeader): Promise<void>;
  epoch(record: EpochRecord): Promise<void>;
  end(outcome: RunOutcome): Promise<void>;
}
