import { z } from 'zod';
import { MODEL_NAME, VERSION } from './manifest.js';

/** Characters of the configuration (YAML) that a job brings. */
export const CONFIGURATION_LIMIT = 32 * 1024;
/** Settings over it, `training.epochs=30`, and the characters of one. */
export const SETTINGS_LIMIT = 50;
export const SETTING_LIMIT = 500;
/** Characters of a data set's name: folders below the one that the hub allows, with slashes between them. */
export const DATASET_LIMIT = 300;

const TEXT_LIMIT = 2000;
const loss = z.number();
const share = z.number().min(0).max(1);

/** One epoch of one stage; losses are mean cross-entropies in nats, accuracies shares from 0 to 1. */
export const epochSchema = z.object({
  stage: z.enum(['head', 'cut', 'all']),
  epoch: z.int().positive(),
  epochs: z.int().positive(),
  trainLoss: loss,
  trainAccuracy: share,
  validationLoss: loss,
  validationAccuracy: share,
  learningRate: z.number(),
  seconds: z.number().nonnegative(),
});
export type Epoch = z.infer<typeof epochSchema>;

/** Why a job came to no model, as the trainer or the hub says it; `code` as docs/errors.md has it. */
export const failureSchema = z.object({
  code: z.string().max(40),
  message: z.string().max(TEXT_LIMIT),
  remedy: z.string().max(TEXT_LIMIT),
});
export type TrainingFailure = z.infer<typeof failureSchema>;

/** What a trainer that a hub has started says to it, over the channel between the two processes. */
export const trainerWord = z.discriminatedUnion('kind', [
  /** The configuration is one, and its data set can be opened. */
  z.object({
    kind: z.literal('checked'),
    name: z.string().regex(MODEL_NAME),
    version: z.string().regex(VERSION),
  }),
  z.object({ kind: z.literal('epoch'), epoch: epochSchema }),
  /** The requirements are met; manifest and model lie in the output folder, for the hub to register. */
  z.object({ kind: z.literal('met') }),
  z.object({ kind: z.literal('failed'), failure: failureSchema }),
]);
export type TrainerWord = z.infer<typeof trainerWord>;

/** A failure that fits its schema, whatever a message holds. */
export function failureOf({ code, message, remedy }: TrainingFailure): TrainingFailure {
  return { code, message: message.slice(0, TEXT_LIMIT), remedy: remedy.slice(0, TEXT_LIMIT) };
}
