import type { Store } from '../store/store.js';
import { DAY_MS } from './calendar.js';
import type { Retention, Rollups } from './rollup-port.js';

/** Rounds of a few hundred rows at once; what is left is the next minute's. */
const ROUNDS = 20;

/** A round at a time, so that no write waits for a large delete. */
async function inRounds(round: () => Promise<boolean>): Promise<void> {
  for (let runs = 0; runs < ROUNDS && (await round()); runs++)
    await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Forgets raw reports that are older than so many days. Ages are those of the rollups: a clock that is ahead takes
 * nothing with it.
 */
export async function purgeReports(store: Store, days: number, now: Date): Promise<void> {
  const from = await store.rollups.agesFrom(now);
  if (from === null) return;
  const before = new Date(from.getTime() - days * DAY_MS);
  await inRounds(() => store.purgeReports(before));
}

/** Closes hours for the reference, and forgets old sums. */
export async function keepRollups(rollups: Rollups, retention: Retention, now: Date): Promise<void> {
  await inRounds(() => rollups.settle(now));
  await inRounds(() => rollups.purge(now, retention));
}
