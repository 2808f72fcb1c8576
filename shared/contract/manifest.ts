import { z } from 'zod';
import type { TENSOR_TYPES } from '../tflite/schema.js';

export const MODEL_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
export const VERSION = /^\d{1,5}\.\d{1,5}\.\d{1,5}$/;
export const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');

export const modelRef = z.strictObject({ version: z.string().regex(VERSION), digest });
export type ModelRef = z.infer<typeof modelRef>;

const share = z.number().min(0).max(1);
export const testMetrics = z.object({
  frames: z.int().nonnegative(),
  accuracy: share,
  precision: share,
  recall: share,
  f1: share,
  rocAuc: share,
  ece: share,
  /** [[content as content, content as ad], [ad as content, ad as ad]] */
  confusion: z.tuple([z.tuple([z.int(), z.int()]), z.tuple([z.int(), z.int()])]),
});
export type TestMetrics = z.infer<typeof testMetrics>;

/** Bytes of the largest model file. */
export const MODEL_LIMIT = 256 * 1024 * 1024;

/** Everything a device must know to run a model file rightly; signed together with it. */
export const manifest = z.strictObject({
  schema: z.literal(1),
  name: z.string().regex(MODEL_NAME, 'must be lower-case letters, digits and dashes'),
  version: z.string().regex(VERSION, 'must be MAJOR.MINOR.PATCH'),
  digest,
  bytes: z.int().positive().max(MODEL_LIMIT),
  architecture: z.enum(['efficientnet_lite0', 'small_net']),
  weights: z.enum(['pretrained', 'scratch']),
  /** Meaning of the outputs, in order. */
  labels: z.tuple([z.literal('content'), z.literal('ad')]),
  preprocess: z.strictObject({
    width: z.int().min(16).max(1024),
    height: z.int().min(16).max(1024),
    scaler: z.enum(['area', 'bilinear', 'bicubic']),
    /** The network sees (x - mean) / std. */
    mean: z.number(),
    std: z.number().positive(),
  }),
  input: z.strictObject({
    type: z.enum(['int8', 'uint8', 'float32'] satisfies (keyof typeof TENSOR_TYPES)[]),
    shape: z.array(z.int().positive()).length(4),
  }),
  /** p(ad) of test patterns that every device can draw itself; see shared/video/patterns.ts. */
  golden: z.array(z.strictObject({ pattern: z.int().nonnegative(), ad: share })).max(16),
  metrics: testMetrics,
  createdAt: z.iso.datetime(),
});
export type Manifest = z.infer<typeof manifest>;
/** A manifest is a page of JSON. */
export const MANIFEST_LIMIT = 64 * 1024;
