import { DRAW_RATES, desired, windowReport } from '@adbreak/shared/contract/messages.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import { type LedgerState, MOST_WAITING } from '../shadow/ledger.js';
import { MOST_RUNS } from '../shadow/windows.js';

/** About 600 bytes an episode. */
const LIMIT = 4 * 2 ** 20;
/** Episodes that wait to be counted; a day of waiting at the shortest episodes has more: those that would be counted first are lost. */
const MOST_PENDING = 3000;
const MOST_COUNTS = 50;

const instant = z.int().min(0).max(8.64e15);
const seconds = z.number().nonnegative();
const pairing = windowReport.pick({ rollout: true, production: true, candidate: true, serving: true });
const episode = z.strictObject({
  id: z.int().positive(),
  pairing,
  start: z.number(),
  end: z.number(),
  frames: z.int().positive(),
  productionSum: z.number().nonnegative(),
  candidateSum: z.number().nonnegative().nullable(),
  label: z.enum(['ad', 'content']).nullable(),
});
const pending = z.strictObject({
  episode,
  since: instant,
  coin: z.number().min(0).lt(1),
  control: z.boolean(),
});
const waiting = pending.extend({ counted: instant, window: instant });
const ledgerStateSchema = z.strictObject({
  windows: z.strictObject({
    length: z.number().positive(),
    start: instant,
    closed: z.array(z.strictObject({ first: instant, last: instant })).max(MOST_RUNS),
  }),
  order: desired.shape.draws,
  draws: z.strictObject({
    disagreements: seconds,
    watched: seconds.positive(),
    idle: seconds,
    credit: z.number(),
    rate: z.literal(DRAW_RATES),
  }),
  counts: z
    .array(windowReport.omit({ sequence: true, stream: true, start: true, end: true, slice: true }))
    .max(MOST_COUNTS),
  pending: z.array(pending).max(MOST_PENDING),
  waiting: z.array(waiting).max(MOST_WAITING),
  answers: z
    .array(
      z.strictObject({
        pairing,
        window: instant,
        wins: z.int().nonnegative(),
        losses: z.int().nonnegative(),
      }),
    )
    .max(MOST_WAITING),
});

/** What the last run left; null when there is nothing, or when it cannot be read: then it is set aside, said so, and the device begins anew. */
export async function readLedger(path: string, log: (line: string) => void): Promise<LedgerState | null> {
  try {
    return (await readJson(ledgerStateSchema, path, LIMIT)) ?? null;
  } catch (error) {
    await setAside(path, error, 'draws that waited count as ones that nobody answered', (line) =>
      log(`windows: ${line}`),
    );
    return null;
  }
}

/** Counts and probabilities; no frame of an episode is ever written. Durable when it resolves. */
export async function writeLedger(path: string, state: LedgerState): Promise<void> {
  const bounded = {
    ...state,
    counts: state.counts.slice(-MOST_COUNTS),
    pending: state.pending.slice(-MOST_PENDING),
    waiting: state.waiting.slice(-MOST_WAITING),
    answers: state.answers.slice(-MOST_WAITING),
  };
  await writeAtomic(path, JSON.stringify(bounded));
}
