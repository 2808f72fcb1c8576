import { manifest } from '@adbreak/shared/contract/manifest.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { RUNTIME_CHOICES } from '@adbreak/shared/tflite/open.js';
import { z } from 'zod';

/**
 * Messages between the agent and an inference child, over fork's channel with advanced serialization. Either side takes what it
 * hears as anything from outside: a model that has broken its process must not break the other one. The channel itself reads a
 * message whole, so the limits are those of the fields.
 */
const TEXT_LIMIT = 2000;
/** RGB24 of the largest frame that a manifest may ask for. */
const FRAME_LIMIT = 1024 * 1024 * 3;

const text = z.string().max(TEXT_LIMIT);
const id = z.int().nonnegative();
const isFrame = (value: unknown) => value instanceof Uint8Array && value.length <= FRAME_LIMIT;
const pixels = z.custom<Uint8Array>(isFrame, `must be bytes, ${FRAME_LIMIT} at most`);

const toWorkerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('load'),
    path: z.string().max(4096),
    manifest,
    threads: z.int().min(1).max(64),
    runtime: z.enum(RUNTIME_CHOICES),
    /** Whether answers say how far a picture is from those of training, where the manifest tells how. */
    distance: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('infer'), id, pixels }),
]);
export type ToWorker = z.infer<typeof toWorkerSchema>;

const fromWorkerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('loaded'), runtime: z.string().max(40) }),
  z.strictObject({ kind: z.literal('refused'), code: z.string().max(40), message: text }),
  z.strictObject({
    kind: z.literal('result'),
    id,
    probability: z.number().min(0).max(1),
    milliseconds: z.number().nonnegative(),
    distance: z.number().nonnegative().optional(),
  }),
  z.strictObject({ kind: z.literal('failed'), id, message: text }),
]);
export type FromWorker = z.infer<typeof fromWorkerSchema>;

export function toWorker(said: unknown): ToWorker {
  return check(toWorkerSchema, said, 'what the agent asks of its inference process', 'input_invalid');
}

export function fromWorker(said: unknown): FromWorker {
  return check(fromWorkerSchema, said, 'what the inference process says', 'inference_failed');
}

/** A sentence that fits into a message. */
export function shortened(sentence: string): string {
  return sentence.length > TEXT_LIMIT ? `${sentence.slice(0, TEXT_LIMIT - 1)}…` : sentence;
}
