import type { EpochRecord, RunHeader, RunOutcome, Tracker } from '../ports.js';

/** A tracker that hears later than it happened what happens, and when that was. */
export interface DatedTracker extends Tracker {
  begin(run: RunHeader, at?: Date): Promise<void>;
  epoch(record: EpochRecord, at?: Date): Promise<void>;
  end(outcome: RunOutcome, at?: Date): Promise<void>;
}
