import { join } from 'node:path';
import type { EdgeConfig } from './config/config.js';
import { SlotStore } from './models/slot-store.js';
import { Reservoir } from './reservoir/reservoir.js';
import type { LedgerState } from './shadow/ledger.js';
import { readLedger } from './uplink/ledger-file.js';
import { Spool } from './uplink/spool.js';

/** What an agent keeps in its state folder through restarts, beside its identity and what it shall run. */
export interface Kept {
  readonly slots: SlotStore;
  readonly reservoir: Reservoir;
  readonly spool: Spool;
  /** The counts of the window that was open, and the draws that wait; null where there are none. */
  readonly before: LedgerState | null;
}

export function ledgerPath(state: string): string {
  return join(state, 'windows.json');
}

export async function openKept(
  { state, reservoir: { episodes, megabytes } }: Pick<EdgeConfig, 'state' | 'reservoir'>,
  log: (line: string) => void,
): Promise<Kept> {
  const slots = await SlotStore.open(join(state, 'models'), log);
  const bounds = { episodes, bytes: megabytes * 2 ** 20 };
  const reservoir = await Reservoir.open(join(state, 'reservoir'), bounds, Math.random, log);
  const spool = await Spool.open(join(state, 'spool'), log);
  return { slots, reservoir, spool, before: await readLedger(ledgerPath(state), log) };
}
