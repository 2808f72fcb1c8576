import { z } from 'zod';
import type { TENSOR_TYPES } from '../tflite/schema.js';
import { instantSchema } from './instant.js';

export const MODEL_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
export const VERSION = /^\d{1,5}\.\d{1,5}\.\d{1,5}$/;
export const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');

export const modelRef = z.strictObject({
  version: z.string().regex(VERSION).describe('MAJOR.MINOR.PATCH.'),
  digest: digest.describe('SHA-256 of the model file.'),
});
export type ModelRef = z.infer<typeof modelRef>;

const share = z.number().min(0).max(1);
export const testMetrics = z.object({
  frames: z.int().nonnegative().describe('Frames that were looked at.'),
  accuracy: share.describe('Share of frames called rightly.'),
  precision: share.describe('Of frames called an advertisement, those that are one.'),
  recall: share.describe('Of frames of advertisements, those called one.'),
  f1: share.describe('Harmonic mean of the two.'),
  rocAuc: share.describe('Area under the curve of the receiver operating characteristic.'),
  ece: share.describe('Expected calibration error.'),
  confusion: z
    .tuple([z.tuple([z.int(), z.int()]), z.tuple([z.int(), z.int()])])
    .describe('Frames by [truth][call], content = 0, ad = 1.'),
});
export type TestMetrics = z.infer<typeof testMetrics>;

/** How the agent makes AD and CONTENT of a model's probabilities; chosen on validation. */
export const decision = z
  .strictObject({
    threshold: z
      .number()
      .min(0.01)
      .max(0.99)
      .describe('p(ad) from which a single frame is called an advertisement.'),
    meanSeconds: z.number().min(1).max(3600).describe('Mean length of a break and of a block of programme.'),
    clamp: z.number().min(0.5).max(0.999).describe('A frame is trusted no further than this.'),
    enter: share.describe('Posterior from which AD begins.'),
    leave: share.describe('Posterior at which it ends.'),
  })
  // Without room between the two borders of hysteresis the label would flutter.
  .refine(({ enter, leave }) => enter > leave, { message: 'must be above leave', path: ['enter'] });
export type Decision = z.infer<typeof decision>;

/** Where a model comes from: the same data, configuration, parent, code and seed make the same file. */
export const lineage = z.strictObject({
  dataset: digest.describe('Fingerprint of the data set.'),
  configuration: digest.describe('SHA-256 of what in the configuration decides the model.'),
  parent: digest.describe('SHA-256 of the network before its head was fitted, as float TFLite.'),
  code: z.string().min(1).max(100).describe('Version of the trainer, with its commit where it is known.'),
  seed: z.int().nonnegative().describe('What chance was drawn from.'),
});
export type Lineage = z.infer<typeof lineage>;
/** Distances to training pictures, in a projection of the features that the last layer reads: `shared/unsure.ts`. */
export const unsureReference = z.strictObject({
  seed: z.int().nonnegative().describe('Of the projection.'),
  width: z.int().min(1).max(8192).describe('Of the features.'),
  dimensions: z.int().min(2).max(256).describe('Of the projected features.'),
  prototypes: z
    .base64()
    .max(16 * 1024)
    .describe('Int8 [n, dimensions]: training pictures, each value times `scale`.'),
  scale: z.number().positive().describe('See `prototypes`.'),
  threshold: z
    .number()
    .positive()
    .describe('A picture farther from all of them than this is unlike training.'),
});
export type UnsureReference = z.infer<typeof unsureReference>;

/** Bytes of the largest model file. */
export const MODEL_LIMIT = 256 * 1024 * 1024;

/** Everything a device must know to run a model file rightly; signed together with it. */
export const manifest = z.strictObject({
  schema: z.literal(1).describe('The form of this document.'),
  name: z
    .string()
    .regex(MODEL_NAME, 'must be lower-case letters, digits and dashes')
    .describe('Name of the model.'),
  version: z.string().regex(VERSION, 'must be MAJOR.MINOR.PATCH').describe('Its version.'),
  digest: digest.describe('SHA-256 of the model file.'),
  bytes: z.int().positive().max(MODEL_LIMIT).describe('Its length.'),
  architecture: z
    .enum(['efficientnet_lite0', 'mobilenet_v3_small', 'mobilenet_v3_large', 'small_net'])
    .describe('The network, for people.'),
  weights: z.enum(['pretrained', 'distilled', 'scratch']).describe('Where its weights began, for people.'),
  labels: z
    .tuple([z.literal('content'), z.literal('ad')])
    .describe('Meaning of the outputs, in order: p(ad) is the second.'),
  preprocess: z
    .strictObject({
      width: z.int().min(16).max(1024).describe('Of the frames, pixels.'),
      height: z.int().min(16).max(1024).describe('Of the frames, pixels.'),
      scaler: z.enum(['area', 'bilinear', 'bicubic']).describe("ffmpeg's scaler that makes them."),
      mean: z.number().describe('The network sees (x - mean) / std, with x from 0 to 255.'),
      std: z.number().positive().describe('See `mean`.'),
    })
    .describe('From a frame to the input.'),
  input: z
    .strictObject({
      type: z
        .enum(['int8', 'uint8', 'float32'] satisfies (keyof typeof TENSOR_TYPES)[])
        .describe('Type of the input tensor.'),
      shape: z.array(z.int().positive()).length(4).describe('[1, height, width, 3].'),
    })
    .describe('The input tensor.'),
  golden: z
    .array(
      z.strictObject({
        pattern: z.int().nonnegative().describe('Number of the test pattern.'),
        ad: share.describe('p(ad) of it, within 6/256.'),
      }),
    )
    .max(16)
    .describe('What the model says of test patterns that every device can draw itself.'),
  hardware: z
    .array(z.string().min(1).max(60))
    .min(1)
    .max(20)
    .optional()
    .describe('What it runs on, as devices name their hardware; anything where nothing is said.'),
  decision: decision
    .optional()
    .describe('How p(ad) becomes AD and CONTENT; the defaults where nothing is said.'),
  lineage: lineage.optional().describe('Where it comes from, for people.'),
  unsure: unsureReference.optional().describe('How a picture is known that is like nothing in training.'),
  metrics: testMetrics.describe('What it was worth on the test recordings, for people.'),
  createdAt: instantSchema().describe('When it was made.'),
});
export type Manifest = z.infer<typeof manifest>;
/** A manifest is a page of JSON. */
export const MANIFEST_LIMIT = 64 * 1024;
