import { trainingResult } from '@adbreak/shared/contract/http/training.js';
import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import {
  CONFIGURATION_LIMIT,
  DATASET_LIMIT,
  type Epoch,
  epochSchema,
  failureSchema,
  SETTING_LIMIT,
  SETTINGS_LIMIT,
  type TrainingFailure,
} from '@adbreak/shared/contract/training.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';

/** Jobs that may wait for the one that runs. */
export const QUEUE_LIMIT = 8;
/** Jobs that came to an end and are remembered, with their folders. */
export const ENDED_KEPT = 50;
/** Epochs that are remembered of a job: the newest ones. */
export const EPOCHS_KEPT = 200;
/** Characters of a line of a job's log. */
export const LINE_LIMIT = 500;
/** How often a job may be cut off: one that takes the hub with it each time must not do so for ever. */
export const MOST_INTERRUPTIONS = 3;

const instant = z.iso.datetime();
const standing = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('queued') }),
  z.strictObject({
    state: z.literal('running'),
    begun: instant,
    /** Who has called it off while it ran. */
    cancelled: z.string().nullable(),
  }),
  z.strictObject({
    state: z.literal('finished'),
    begun: instant,
    ended: instant,
    result: trainingResult,
  }),
  z.strictObject({
    state: z.literal('failed'),
    begun: instant.nullable(),
    ended: instant,
    failure: failureSchema,
  }),
  z.strictObject({
    state: z.literal('cancelled'),
    begun: instant.nullable(),
    ended: instant,
    cancelled: z.string(),
  }),
]);

/** A training on the hub's own machine, as the store keeps it. */
export const trainingJob = z.object({
  id: z.string(),
  model: z.string().regex(MODEL_NAME),
  version: z.string().regex(VERSION),
  configuration: z.string().max(CONFIGURATION_LIMIT),
  settings: z.array(z.string().max(SETTING_LIMIT)).max(SETTINGS_LIMIT),
  dataset: z.string().max(DATASET_LIMIT),
  who: z.string(),
  asked: instant,
  standing,
  interruptions: z.int().nonnegative(),
  progress: z.string().max(LINE_LIMIT).nullable(),
  epochs: z.array(epochSchema).max(EPOCHS_KEPT),
});
export type TrainingJob = z.infer<typeof trainingJob>;
export type TrainingResult = z.infer<typeof trainingResult>;
export type Jobs = Readonly<Record<string, TrainingJob>>;
type Running = Extract<TrainingJob['standing'], { state: 'running' }>;

export const isWaiting = ({ standing: { state } }: TrainingJob) => state === 'queued';
export const isActive = (job: TrainingJob) => isWaiting(job) || job.standing.state === 'running';

/** The job whose turn it is; what was cut off was asked for before what waits behind it. */
export function nextOf(jobs: Jobs): TrainingJob | undefined {
  return Object.values(jobs).find(isWaiting);
}

/** How many are before a job that waits, the one that runs among them; null where it does not wait. */
export function aheadOf(jobs: Jobs, id: string): number | null {
  const waiting = Object.values(jobs).filter(isWaiting);
  const place = waiting.findIndex((job) => job.id === id);
  if (place < 0) return null;
  const running = Object.values(jobs).some((job) => isActive(job) && !isWaiting(job));
  return place + (running ? 1 : 0);
}

/** Those that came to an end longest ago, beyond what is kept. */
export function forgettableJobs(jobs: Jobs): string[] {
  const ended = Object.values(jobs).filter((job) => !isActive(job));
  return ended.slice(0, Math.max(0, ended.length - ENDED_KEPT)).map(({ id }) => id);
}

/** Throws `conflict` where no more may wait, or another one makes this very version. */
export function refuseCrowd(jobs: Jobs, model: string, version: string): void {
  const active = Object.values(jobs).filter(isActive);
  const twin = active.find((job) => job.model === model && job.version === version);
  if (twin !== undefined)
    throw new AdbreakError(
      'conflict',
      `Cannot train ${model} ${version}: the job ${twin.id} is making this version already`,
      { remedy: 'Set model.version to the next one, or look at that job: `adbreak jobs show`.' },
    );
  if (active.filter(isWaiting).length >= QUEUE_LIMIT)
    throw new AdbreakError('conflict', `Cannot train ${model} ${version}: ${QUEUE_LIMIT} jobs wait already`, {
      remedy: 'Wait for one of them, or call one off: `adbreak jobs list`, `adbreak jobs cancel ID`.',
    });
}

/** What became of a run, before the job's row says so. */
export type Outcome =
  | { readonly kind: 'finished'; readonly result: TrainingResult }
  | { readonly kind: 'failed'; readonly failure: TrainingFailure }
  /** It was cut off, and may go on; `counts` where nobody stopped the hub in good order. */
  | { readonly kind: 'interrupted'; readonly counts: boolean };

/** Where a run that is over leaves its job. Who called it off is heard before anything but a result. */
export function standingAfter(
  job: TrainingJob,
  outcome: Outcome,
  now: Date,
): Pick<TrainingJob, 'standing' | 'interruptions'> {
  const { begun = null, cancelled = null } = runningOf(job) ?? {};
  const { interruptions } = job;
  const ended = now.toISOString();
  if (outcome.kind === 'finished') {
    const { result } = outcome;
    return { interruptions, standing: { state: 'finished', begun: begun ?? ended, ended, result } };
  }
  if (cancelled !== null) return { interruptions, standing: { state: 'cancelled', begun, ended, cancelled } };
  const failed = (failure: TrainingFailure, times: number) => ({
    interruptions: times,
    standing: { state: 'failed' as const, begun, ended, failure },
  });
  if (outcome.kind === 'failed') return failed(outcome.failure, interruptions);
  const times = interruptions + (outcome.counts ? 1 : 0);
  return times > MOST_INTERRUPTIONS
    ? failed(CUT_OFF, times)
    : { interruptions: times, standing: { state: 'queued' } };
}

const CUT_OFF: TrainingFailure = {
  code: 'training_failed',
  message: `Cannot go on: the training was cut off more than ${MOST_INTERRUPTIONS} times`,
  remedy:
    'Look why hub or trainer were ended, often for want of memory; `training.batch_size` and a smaller input help.',
};

function runningOf({ standing: one }: TrainingJob): Running | null {
  return one.state === 'running' ? one : null;
}

/** One more epoch; the oldest are forgotten. */
export function withEpoch(epochs: readonly Epoch[], next: Epoch): Epoch[] {
  return [...epochs, next].slice(-EPOCHS_KEPT);
}
