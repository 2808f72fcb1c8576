import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import type { FitState } from './fit-state.js';
import { bytesOf, floatsOf, readSealed, writeSealed } from './sealed.js';

const finite = z.number();
/** Characters of one value: a configuration may name ten thousand recordings to train on. */
const LONGEST_VALUE = 4 * 1024 * 1024;
/** Characters of a value that is told. */
const TOLD = 200;
const record = z.strictObject({
  stage: z.enum(['head', 'cut', 'all']),
  epoch: z.int().positive(),
  epochs: z.int().positive(),
  trainLoss: finite,
  trainAccuracy: finite,
  validationLoss: finite,
  validationAccuracy: finite,
  learningRate: finite,
  seconds: finite,
});
const facts = z.strictObject({
  /** What must be the same for the fit to go on as if it had never stopped. */
  binding: z.record(z.string().max(200), z.string().max(LONGEST_VALUE)),
  epoch: z.int().positive(),
  bestEpoch: z.int().nonnegative(),
  bestLoss: finite.nullable(),
  parameters: z.int().positive(),
  history: z.array(record).max(10_000),
});

/** Beside the checkpoint, from a run's first moment on. */
const STARTED = '.started.json';
const STARTED_LIMIT = 1024;
const started = z.strictObject({ startedAt: instantSchema() });

/** Facts by name that a fit follows from: configuration, data, network. */
export type Binding = Readonly<Record<string, string>>;

export function checkpointPath(output: string): string {
  return join(output, 'checkpoint.bin');
}

/** Keeps the state after an epoch, its best one with it. Throws `disk_full`. */
export async function writeCheckpoint(path: string, binding: Binding, state: FitState): Promise<void> {
  const { epoch, bestEpoch, bestLoss, history, values, first, second, best } = state;
  const about: z.infer<typeof facts> = {
    binding: { ...binding },
    epoch,
    bestEpoch,
    bestLoss: Number.isFinite(bestLoss) ? bestLoss : null,
    parameters: values.length,
    history: [...history],
  };
  await writeSealed(path, about, Buffer.concat([values, first, second, best].map(bytesOf)));
}

/**
 * The state to go on from; null where there is none. Throws `state_corrupt` for a damaged file, `conflict`
 * for one of another configuration, network or data set, with what differs.
 */
export async function readCheckpoint(path: string, binding: Binding): Promise<FitState | null> {
  const sealed = await readSealed(path, facts);
  if (sealed === 'missing') return null;
  const numbers = sealed === 'damaged' ? null : floatsOf(sealed.body);
  if (sealed === 'damaged' || numbers?.length !== 4 * sealed.facts.parameters)
    throw new AdbreakError('state_corrupt', `Cannot go on from ${path}: it is damaged`, {
      remedy: 'Start anew, without --resume.',
    });
  const { parameters, bestLoss, binding: had, ...about } = sealed.facts;
  refuseOthers(path, had, binding);
  const part = (i: number) => numbers.slice(i * parameters, (i + 1) * parameters);
  return {
    ...about,
    bestLoss: bestLoss ?? Number.POSITIVE_INFINITY,
    values: part(0),
    first: part(1),
    second: part(2),
    best: part(3),
  };
}

/** The run has come to its end: nothing of it is to be gone on from. */
export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(join(dirname(path), STARTED), { force: true });
}

/**
 * When the run in an output folder began. One that goes on keeps its start, and is followed where it was;
 * another one begins `now`, with nothing to go on from.
 */
export async function startOfRun(
  output: string,
  { resume, now }: { resume: boolean; now: Date },
): Promise<Date> {
  const path = join(output, STARTED);
  const before = resume ? await readStart(path) : null;
  if (before !== null) return before;
  if (!resume) await removeCheckpoint(checkpointPath(output));
  await writeAtomic(path, `${JSON.stringify({ startedAt: now.toISOString() })}\n`);
  return now;
}

/** Null where there is none, or it cannot be read: a start that is lost costs no more than a run of its own. */
async function readStart(path: string): Promise<Date | null> {
  try {
    const bytes = await readLimited(path, STARTED_LIMIT);
    return bytes === undefined ? null : new Date(parseJson(started, bytes, STARTED_LIMIT, path).startedAt);
  } catch (error) {
    if (hasCode(error, 'input_invalid', 'input_too_large')) return null;
    throw error;
  }
}

function refuseOthers(path: string, had: Binding, has: Binding): void {
  const differing = [...new Set([...Object.keys(had), ...Object.keys(has)])].filter(
    (key) => had[key] !== has[key],
  );
  if (differing.length === 0) return;
  const told = differing
    .slice(0, 3)
    .map((key) => `${key} was ${shortened(had[key] ?? 'not there')}, now ${shortened(has[key] ?? 'gone')}`);
  const more = differing.length > told.length ? `, and ${differing.length - told.length} more` : '';
  throw new AdbreakError(
    'conflict',
    `Cannot go on from ${path}: it is of another training: ${told.join('; ')}${more}`,
    { remedy: 'Give the configuration and the data that it began with, or start anew, without --resume.' },
  );
}

function shortened(value: string): string {
  return value.length > TOLD ? `${value.slice(0, TOLD)}…` : value;
}
