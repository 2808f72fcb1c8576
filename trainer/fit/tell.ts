import type { EpochRecord, Tracker } from '../ports.js';
import { duration } from './progress.js';

/** How often a head says how far it is: its epochs take milliseconds. */
const SAY_MS = 1000;
/** How often a network does, whose batches take seconds. */
const SAY_BATCH_MS = 5000;

interface Voice {
  readonly tracker: Tracker;
  readonly say: (line: string) => void;
}

/**
 * The first epoch, then one a second: losses, accuracies, and the time that is left if no epoch ends it
 * early.
 */
export function epochTeller(say: (line: string) => void): (record: EpochRecord, bestEpoch: number) => void {
  let saidAt: number | null = null;
  let [seconds, epochs] = [0, 0];
  return (record, bestEpoch) => {
    seconds += record.seconds;
    epochs += 1;
    const now = performance.now();
    if (saidAt !== null && now - saidAt < SAY_MS && record.epoch < record.epochs) return;
    saidAt = now;
    const left = ((record.epochs - record.epoch) * seconds) / epochs;
    const best = record.epoch === bestEpoch ? ', the best yet' : '';
    say(`  ${formatEpoch(record)}${best}; at most ${duration(left)} left`);
  };
}

/** Of a network each epoch is told, and within it how many lessons are through. */
export function networkTeller({ tracker, say }: Voice): {
  batch: (lessons: number) => void;
  epoch: (record: EpochRecord) => Promise<void>;
} {
  let [lessons, saidAt] = [0, performance.now()];
  return {
    batch: (count) => {
      lessons += count;
      if (performance.now() - saidAt < SAY_BATCH_MS) return;
      saidAt = performance.now();
      say(`  network: ${lessons} lessons of this epoch`);
    },
    epoch: async (record) => {
      lessons = 0;
      saidAt = performance.now();
      const left = (record.epochs - record.epoch) * record.seconds;
      say(`  network, ${formatEpoch(record)}; at most ${duration(left)} left`);
      await tracker.epoch(record);
    },
  };
}

export function formatEpoch(record: EpochRecord): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return (
    `epoch ${record.epoch} of ${record.epochs}: loss ${record.trainLoss.toFixed(3)}, ` +
    `on validation ${record.validationLoss.toFixed(3)}; ` +
    `right ${percent(record.trainAccuracy)}, on validation ${percent(record.validationAccuracy)}`
  );
}
