import { join } from 'node:path';
import type { Log } from '@adbreak/shared/log.js';
import type { Registry } from './registry/registry.js';
import type { Settings } from './store/settings.js';
import type { Store } from './store/store.js';
import { TrainingFolder } from './training/job-folder.js';
import { TRAINER } from './training/trainer.js';
import { TrainingJobs } from './training/training-jobs.js';

/** Others than the usual ones are for tests. */
export interface TrainingOptions {
  /** The trainer's program. */
  readonly trainer?: string;
  readonly graceMs?: number;
  readonly lookMs?: number;
}
interface Parts {
  /** Of the hub's state. */
  readonly folder: string;
  readonly settings: Settings;
  readonly store: Store;
  readonly registry: Registry;
  readonly now: () => Date;
  readonly log: Log;
}

/** A trainer writes its checkpoint and leaves within three seconds; a service manager waits for a hub far longer. */
const GRACE_MS = 10_000;
const LOOK_MS = 5000;
const NOTE_MS = 10_000;

/** Trainings as this hub's settings have them. */
export function openTrainings(
  { folder, settings, ...parts }: Parts,
  options: TrainingOptions = {},
): TrainingJobs {
  return new TrainingJobs({
    ...parts,
    ...settings.training,
    folder: new TrainingFolder(join(folder, 'training')),
    trainer: TRAINER,
    graceMs: GRACE_MS,
    lookMs: LOOK_MS,
    noteMs: NOTE_MS,
    ...options,
  });
}
