import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import { RUNTIME_CHOICES } from '@adbreak/shared/tflite/open.js';
import { z } from 'zod';
import { DEFAULT_TRACKING, trackingSchema } from '../track/settings.js';

const share = z.number().min(0).max(1);
const path = z.string().min(1).max(1000);
const side = z.int().min(32).max(1024);

const model = z.strictObject({
  name: z.string().regex(MODEL_NAME, 'it must be lower-case letters, digits and dashes'),
  version: z.string().regex(VERSION, 'it must be MAJOR.MINOR.PATCH'),
  architecture: z.enum(['efficientnet_lite0', 'mobilenet_v3_small', 'mobilenet_v3_large']),
  /** Height, width, channels. */
  input_shape: z.tuple([side, side, z.literal(3)]),
  weights: z.enum(['auto', 'pretrained', 'distill', 'scratch']),
});

const dataset = z.strictObject({
  /** A folder with train/, val/ and test/. */
  path,
  /** A recording with its labels in place of a folder, divided by time. */
  video: path.nullable(),
  labels: path.nullable(),
  /** Of such a recording: shares of train, val and test, which add up to 1. */
  split_ratio: z.tuple([share, share, share]),
  /** Other words in its labels, such as `advert: ad`. */
  label_map: z.record(z.string().min(1).max(100), z.enum(['ad', 'content'])),
  /** Names of the recordings to train on; null: all. Validation and test stay whole. */
  only: z.array(z.string().min(1).max(200)).min(1).max(10_000).nullable(),
  /** Seconds of each training recording to use; null: all. */
  first: z.number().positive().nullable(),
  /** Pictures a second of a recording. */
  fps: z.number().gt(0).max(60),
});

/**
 * How far an augmented view may differ; 0 leaves that change out. No flips: logos and letters carry meaning.
 */
const augmentation = z.strictObject({
  views: z.int().min(0).max(16),
  /** Black and white levels move by up to this share of the range. */
  range: z.number().min(0).max(0.5),
  /** The exponent lies between 1 / (1 + gamma) and 1 + gamma. */
  gamma: z.number().min(0).max(2),
  /** Lowest quality of a JPEG that the picture goes through; 0 for none. */
  jpeg_quality: z.int().min(0).max(100),
  /** Up to this share is cut off height and width. */
  crop: z.number().min(0).max(0.5),
  /** Up to this share of height or width becomes black bars. */
  letterbox: z.number().min(0).max(0.5),
  /** Largest sigma of a Gaussian, pixels. */
  blur: z.number().min(0).max(10),
  /** Each colour is multiplied by up to 1 ± this. */
  color_cast: z.number().min(0).max(0.5),
});

/** A MobileNet without weights of its own is trained whole, on a sample of the training pictures. */
const network = z.strictObject({
  pictures: z.int().min(2).max(20_000),
  epochs: z.int().min(1).max(10_000),
  batch_size: z.int().min(2).max(1024),
  learning_rate: z.number().gt(0).max(10),
});

const PLACE = /^(blocks\.\d{1,2}|head|all)$/;
const place = z.string().max(20);

/**
 * Tuning of a backbone from one of its layers on, or all of it; several places are stages, one after the
 * other. null: it stays as it is. auto: all of pretrained weights where that is a matter of minutes.
 */
const fineTuning = z.strictObject({
  from: z
    .union([place, z.array(place).min(1).max(8)])
    .refine((from) => from === 'auto' || [from].flat().every((one) => PLACE.test(one)), {
      error: 'it must be a block, as in blocks.12, or head, or all; or a list of such stages; or auto',
    })
    .nullable(),
  epochs: z.int().min(1).max(10_000),
  batch_size: z.int().min(1).max(1024),
  learning_rate: z.number().gt(0).max(10),
});

const training = z.strictObject({
  seed: z
    .int()
    .min(0)
    .max(2 ** 31),
  batch_size: z.int().min(1).max(4096),
  epochs: z.int().min(1).max(10_000),
  learning_rate: z.number().gt(0).max(10),
  optimizer: z.enum(['adam', 'adamw']),
  /** Decoupled, AdamW alone. */
  weight_decay: z.number().min(0).max(1),
  l2: z.number().min(0).max(10),
  warmup_epochs: z.number().min(0).max(1000),
  schedule: z.enum(['cosine', 'constant']),
  label_smoothing: z.number().min(0).max(0.5),
  /** balanced, none, or the weights of content and ad. */
  class_weights: z.union([
    z.enum(['balanced', 'none']),
    z.tuple([z.number().positive(), z.number().positive()]),
  ]),
  dropout: z.number().min(0).max(0.9),
  /** Alpha of the Beta distribution that pictures are mixed by; 0 for none. */
  mixup: z.number().min(0).max(10),
  /** Epochs without a better validation loss before the end; 0: never stop early. */
  patience: z.int().min(0).max(10_000),
  /** Parts of a cross-validation by recording; 0 for none. */
  folds: z
    .int()
    .min(0)
    .max(20)
    .refine((folds) => folds !== 1, 'it must be 0, or at least 2'),
  augmentation,
  network,
  fine_tuning: fineTuning,
  /** What computes features and scores the INT8 file. */
  runtime: z.enum(RUNTIME_CHOICES),
  /** Threads of that runtime. */
  threads: z.int().min(1).max(64),
});

const conversion = z.strictObject({
  /** Pictures that the ranges of the INT8 file are taken from. */
  calibration_pictures: z.int().min(1).max(5000),
  /** Cross-layer equalization before it. */
  equalize: z.boolean(),
});

const deployment = z.strictObject({
  requirements: z.strictObject({
    min_accuracy: share,
    min_f1_score: share,
    max_inference_time_ms: z.number().positive().max(60_000),
  }),
});

const output = z.strictObject({
  /** Folder of model, manifest and results. */
  path,
  /** Folder of cached features. */
  cache: path,
});

/** Bytes of pictures that are held in memory at once, and kept in one file. */
const MOST_HELD = 2 ** 31 - 2 ** 20;

function pictureBytes({ model: { input_shape } }: { readonly model: z.infer<typeof model> }): number {
  return input_shape.reduce((product, side) => product * side, 1);
}

/** A training as `adbreak train --config` reads it; docs/training.md says what each key does. */
export const trainingConfig = z
  .strictObject({ model, dataset, training, conversion, deployment, tracking: trackingSchema, output })
  .refine(
    (config) => config.model.weights !== 'distill' || config.model.architecture !== 'efficientnet_lite0',
    {
      path: ['model', 'weights'],
      error: 'it is the teacher: distill is for the other networks',
    },
  )
  .refine((config) => (config.dataset.video === null) === (config.dataset.labels === null), {
    path: ['dataset', 'video'],
    error: 'a recording needs its labels, and labels their recording',
  })
  .refine((config) => config.conversion.calibration_pictures * pictureBytes(config) <= MOST_HELD, {
    path: ['conversion', 'calibration_pictures'],
    error: 'so many pictures of this model.input_shape do not fit into memory: fewer than 2 GiB of them do',
  })
  .refine(
    ({
      model: of,
      training: {
        network: own,
        augmentation: { views },
      },
    }) => own.pictures * (1 + views) * pictureBytes({ model: of }) <= 2 * MOST_HELD,
    {
      path: ['training', 'network', 'pictures'],
      error:
        'so many pictures of this model.input_shape and their views do not fit into memory: up to 4 GiB do',
    },
  );
export type TrainingConfig = z.infer<typeof trainingConfig>;

/**
 * What holds where a configuration says nothing. Requirements are the guide's; no augmented views, which cost
 * time.
 */
export const DEFAULT_CONFIG: TrainingConfig = {
  model: {
    name: 'base-ad-detector',
    version: '1.0.0',
    architecture: 'efficientnet_lite0',
    input_shape: [224, 224, 3],
    weights: 'auto',
  },
  dataset: {
    path: 'data/datasets/production',
    video: null,
    labels: null,
    split_ratio: [0.7, 0.15, 0.15],
    label_map: {},
    only: null,
    first: null,
    fps: 2,
  },
  training: {
    seed: 1,
    batch_size: 32,
    epochs: 100,
    learning_rate: 0.001,
    optimizer: 'adam',
    weight_decay: 0.01,
    l2: 0.003,
    warmup_epochs: 1,
    schedule: 'cosine',
    label_smoothing: 0,
    class_weights: 'balanced',
    dropout: 0.2,
    mixup: 0,
    patience: 10,
    folds: 0,
    augmentation: {
      views: 0,
      range: 0.1,
      gamma: 0.25,
      jpeg_quality: 35,
      crop: 0.1,
      letterbox: 0.2,
      blur: 1.2,
      color_cast: 0.1,
    },
    fine_tuning: { from: null, epochs: 4, batch_size: 32, learning_rate: 0.0001 },
    network: { pictures: 450, epochs: 10, batch_size: 32, learning_rate: 0.003 },
    runtime: 'auto',
    threads: 1,
  },
  conversion: { calibration_pictures: 32, equalize: false },
  deployment: { requirements: { min_accuracy: 0.9, min_f1_score: 0.85, max_inference_time_ms: 100 } },
  tracking: DEFAULT_TRACKING,
  output: { path: 'training_results', cache: '.work/features' },
};
