import { z } from 'zod';
import { testMetrics } from '../manifest.js';
import {
  CONFIGURATION_LIMIT,
  DATASET_LIMIT,
  epochSchema,
  failureSchema,
  SETTING_LIMIT,
  SETTINGS_LIMIT,
} from '../training.js';
import { count, instant, modelName, version } from './common.js';
import { contract } from './contract.js';

const TRAINING_STATES = ['queued', 'running', 'finished', 'failed', 'cancelled'] as const;
const SETTING = /^[a-z_.]{1,100}=[^\p{Cc}]*$/u;
const jobParams = z.object({
  id: z.string().regex(/^t-[0-9a-z]{12}$/, 'must be the name of a training job'),
});

/** What came of a training that came to its end. */
export const trainingResult = z.object({
  requirements: z.enum(['met', 'missed']),
  /** By how much what was missed; empty where all are met. */
  missed: z.string(),
  /** The version that is in the registry; null where the requirements kept it out. */
  uploaded: z.object({ name: modelName, version, digest: z.string() }).nullable(),
  /** Of the INT8 file, on the test pictures. */
  metrics: testMetrics,
});

const line = {
  id: z.string(),
  /** The version that it is to make. */
  model: modelName,
  version,
  dataset: z.string(),
  who: z.string(),
  asked: instant,
  state: z.enum(TRAINING_STATES),
  /** How many wait before it; null where it does not wait. */
  ahead: count.nullable(),
  /** When it began, the last time. */
  begun: instant.nullable(),
  ended: instant.nullable(),
  /** Who has called it off; it may be coming to its end still. */
  cancelled: z.string().nullable(),
  /** How often it was cut off, by a hub that was killed or stopped; it went on from what was kept. */
  interruptions: count,
  /** What was said last, with the time that is left where that is known. */
  progress: z.string().nullable(),
};
/** A training on the hub's own machine. */
export const trainingJobView = z.object({
  ...line,
  /** As it was asked for. */
  configuration: z.string(),
  settings: z.array(z.string()),
  /** The newest epochs, oldest first. */
  epochs: z.array(epochSchema),
  failure: failureSchema.nullable(),
  result: trainingResult.nullable(),
});
export type TrainingJobView = z.infer<typeof trainingJobView>;

const ask = contract({
  method: 'POST',
  path: '/api/v1/training/jobs',
  access: 'operator',
  summary: 'Trains a model on the hub’s own machine, and registers it where it meets its requirements.',
  more: 'One at a time; further ones wait. Output, caches and trackers are the hub’s to set.',
  body: z.strictObject({
    configuration: z
      .string()
      .max(CONFIGURATION_LIMIT)
      .default('')
      .describe('YAML, as `adbreak train --config` reads it; the defaults where nothing is said'),
    settings: z
      .array(z.string().max(SETTING_LIMIT).regex(SETTING, 'must be KEY=VALUE'))
      .max(SETTINGS_LIMIT)
      .default([])
      .describe('keys over it, as in training.epochs=30'),
    dataset: z
      .string()
      .min(1)
      .max(DATASET_LIMIT)
      .describe('a folder below the one that `training.datasets` of the hub’s settings names'),
  }),
  bodyIs: 'the training',
  answer: trainingJobView,
  status: 201,
});
const list = contract({
  method: 'GET',
  path: '/api/v1/training/jobs',
  access: 'viewer',
  summary: 'Trainings on the hub, the newest first.',
  answer: z.object({ jobs: z.array(z.object(line)) }),
});
const show = contract({
  method: 'GET',
  path: '/api/v1/training/jobs/{id}',
  access: 'viewer',
  summary: 'A training on the hub: how far it is, and what came of it.',
  params: jobParams,
  answer: trainingJobView,
});
const cancel = contract({
  method: 'POST',
  path: '/api/v1/training/jobs/{id}/cancel',
  access: 'operator',
  summary: 'Calls a training off; one that runs ends within the minute.',
  params: jobParams,
  answer: trainingJobView,
});
const log = contract({
  method: 'GET',
  path: '/api/v1/training/jobs/{id}/log',
  access: 'operator',
  summary: 'The last lines of what a training has said.',
  params: jobParams,
  answer: z.object({
    lines: z.array(z.string()),
    /** There were more before them. */
    cut: z.boolean(),
  }),
});

export const training = { ask, list, show, cancel, log };
