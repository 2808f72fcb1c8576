import { explain } from '@adbreak/shared/errors.js';
import type { EpochRecord, Tracker } from '../ports.js';

/**
 * All trackers as one. What one of them throws is said once; it is left alone from then on, and the training
 * goes on. `onEpoch` hears of every epoch first.
 */
export function follow(
  trackers: readonly Tracker[],
  say: (line: string) => void,
  onEpoch: (record: EpochRecord) => void,
): Tracker {
  const left = new Set<Tracker>(trackers);
  const each = async (tell: (tracker: Tracker) => Promise<void>) => {
    for (const tracker of left) {
      try {
        await tell(tracker);
      } catch (error) {
        left.delete(tracker);
        say(`the training goes on without this tracker: ${explain(error)}`);
      }
    }
  };
  return {
    begin: (run) => each((tracker) => tracker.begin(run)),
    epoch: (record) => {
      onEpoch(record);
      return each((tracker) => tracker.epoch(record));
    },
    end: (outcome) => each((tracker) => tracker.end(outcome)),
  };
}
