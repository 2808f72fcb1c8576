import { epochSchema, failureOf, type TrainerWord } from '@adbreak/shared/contract/training.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { TrainingConfig } from '../config/schema.js';
import type { Tracker } from '../ports.js';
import type { Registry } from './registry.js';

/** A training that a hub has started as a process: what it says to that hub (shared/contract/training.ts). */
export interface HubJob {
  /** Epochs, as they come. */
  readonly tracker: Tracker;
  /** Nothing is sent: what meets the requirements lies in the output folder, and the hub takes it from there. */
  readonly registry: Registry;
  checked(config: TrainingConfig): Promise<void>;
  failed(error: unknown): Promise<void>;
}

/** A head has a thousand epochs a second; so many milliseconds lie between two that are told, the last one apart. */
const PAUSE_MS = 100;

/** Over the channel to the process that started this one. Throws `input_invalid` where there is none. */
export function hubJob(): HubJob {
  const send = process.send?.bind(process);
  if (send === undefined)
    throw new AdbreakError('input_invalid', 'Cannot train for a hub: it is a hub that starts this');
  // A hub that is gone takes the result from nobody: what was learnt is kept, and it goes on from there.
  process.once('disconnect', () => process.kill(process.pid, 'SIGINT'));
  // The channel alone keeps nothing alive.
  process.channel?.unref();
  const tell = (word: TrainerWord) =>
    new Promise<void>((told) => void send(word, undefined, undefined, () => told()));
  const nothing = async () => undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    tracker: {
      begin: nothing,
      epoch: async (record) => {
        const now = performance.now();
        const epoch = epochSchema.safeParse(record);
        if (!epoch.success || (now - toldAt < PAUSE_MS && record.epoch < record.epochs)) return;
        toldAt = now;
        await tell({ kind: 'epoch', epoch: epoch.data });
      },
      end: nothing,
    },
    registry: { sent: 'left for the hub:', checkFree: nothing, upload: () => tell({ kind: 'met' }) },
    checked: ({ model: { name, version } }) => tell({ kind: 'checked', name, version }),
    failed: (error) => tell({ kind: 'failed', failure: failureIn(error) }),
  };
}

function failureIn(error: unknown) {
  const known =
    error instanceof AdbreakError
      ? error
      : new AdbreakError('training_failed', `Cannot go on: ${explain(error)}`);
  return failureOf({ code: known.code, message: explain(known), remedy: known.remedy });
}
