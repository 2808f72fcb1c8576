import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { failureOf, type TrainerWord, type TrainingFailure } from '@adbreak/shared/contract/training.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { exists, storageError } from '@adbreak/shared/storage/atomic.js';
import type { Registry } from '../registry/registry.js';
import type { Store } from '../store/store.js';
import { settingsOf } from './configuration.js';
import { datasetPath } from './datasets.js';
import { type Outcome, type TrainingJob, type TrainingResult, withEpoch } from './job.js';
import type { TrainingFolder } from './job-folder.js';
import type { Notes } from './notes.js';
import { Trainer, type TrainerEnd } from './trainer.js';

export interface RunParts {
  readonly store: Store;
  readonly registry: Pick<Registry, 'receive' | 'register'>;
  readonly folder: TrainingFolder;
  readonly datasets: string | null;
  readonly keepFreeMiB: number;
  /** The trainer's program. */
  readonly trainer: string;
  /** How long a trainer that is to end is waited for, milliseconds. */
  readonly graceMs: number;
  /** How often the volume is looked at, milliseconds. */
  readonly lookMs: number;
}

/**
 * One run of a job, from its folder to the registry. Never rejects: what goes wrong is how it ends. Once the
 * signal is aborted the trainer keeps what it has learnt and ends: why, the job's row says.
 */
export async function runJob(
  job: TrainingJob,
  notes: Notes,
  parts: RunParts,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const before = await registered(job, parts);
    if (before !== null) return { kind: 'finished', result: before };
    return await trained(job, notes, parts, signal);
  } catch (error) {
    if (signal.aborted) return { kind: 'interrupted', counts: false };
    return { kind: 'failed', failure: failureIn(error) };
  }
}

/** A hub was killed after it had registered what the job made, and before it could say so. */
async function registered(job: TrainingJob, { store, folder }: RunParts): Promise<TrainingResult | null> {
  const known = store.state.models[job.model]?.versions[job.version];
  if (known === undefined) return null;
  const made = await folder.made(job.id);
  return made?.manifest.digest === known.manifest.digest ? met(made.manifest) : null;
}

async function trained(
  job: TrainingJob,
  notes: Notes,
  parts: RunParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { folder } = parts;
  await folder.pruneCache();
  await folder.refuseFull(parts.keepFreeMiB);
  const dataset = await datasetPath(parts.datasets, job.dataset);
  const configuration = await folder.prepare(job.id, job.configuration);
  const places = { dataset, output: folder.output(job.id), cache: folder.cache };
  const args = ['--config', configuration, ...settingsOf(job.settings, places)];
  // It has begun before: it goes on from its checkpoint, to the file that an undisturbed run makes.
  if (await exists(places.output)) args.push('--resume');
  const words = new Words(notes);
  signal.throwIfAborted();
  const trainer = await Trainer.start(parts.trainer, args, {
    line: (line) => notes.say(line),
    word: (word) => words.take(word),
  });
  const fault = await watched(trainer, parts, signal);
  if (signal.aborted) return { kind: 'interrupted', counts: false };
  if (fault !== null) return { kind: 'failed', failure: failureIn(fault) };
  return outcomeOf(await trainer.ended, { job, words, notes, parts });
}

/** Until the trainer has ended: of itself, because the signal says so, or because the volume is nearly full, which is given. */
async function watched(
  trainer: Trainer,
  { folder, keepFreeMiB, graceMs, lookMs }: RunParts,
  signal: AbortSignal,
): Promise<unknown> {
  let fault: unknown = null;
  const end = () => void trainer.stop(graceMs);
  const look = async () => {
    try {
      await folder.refuseFull(keepFreeMiB);
    } catch (error) {
      if (fault !== null) return;
      fault = error;
      end();
    }
  };
  const looks = setInterval(() => void look(), lookMs);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    await trainer.ended;
  } finally {
    clearInterval(looks);
    signal.removeEventListener('abort', end);
  }
  return fault;
}

/** What a trainer has said of its end. */
class Words {
  met = false;
  failure: TrainingFailure | null = null;
  readonly #notes: Notes;

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  take(word: TrainerWord): void {
    switch (word.kind) {
      case 'checked':
        break;
      case 'epoch':
        this.#notes.epochs = withEpoch(this.#notes.epochs, word.epoch);
        break;
      case 'met':
        this.met = true;
        break;
      case 'failed':
        this.failure = word.failure;
    }
  }
}

interface Ended {
  readonly job: TrainingJob;
  readonly words: Words;
  readonly notes: Notes;
  readonly parts: RunParts;
}

/** By whom SIGINT and SIGTERM come that this hub has not sent: a service manager that stops all of the service. */
const STOPPED = [130, 143];

async function outcomeOf({ code, signal }: TrainerEnd, ended: Ended): Promise<Outcome> {
  const { job, words, parts } = ended;
  if (code !== null && STOPPED.includes(code)) return { kind: 'interrupted', counts: true };
  if (words.failure?.code === 'requirements_missed') return missed(job, words.failure, parts);
  if (words.failure !== null) return { kind: 'failed', failure: words.failure };
  if (code === 0 && words.met) return register(ended);
  const how = signal === null ? `with ${code}` : `by ${signal}`;
  throw new AdbreakError('training_failed', `Cannot train ${job.id}: the trainer ended ${how}`, {
    remedy: `Look at the last lines of its log, \`adbreak jobs log ${job.id}\`; SIGKILL is often a want of memory.`,
  });
}

async function missed(job: TrainingJob, failure: TrainingFailure, { folder }: RunParts): Promise<Outcome> {
  const made = await folder.made(job.id);
  if (made === null) return { kind: 'failed', failure };
  const { metrics } = made.manifest;
  return {
    kind: 'finished',
    result: { requirements: 'missed', missed: failure.message, uploaded: null, metrics },
  };
}

/** Through the same checks as what comes over HTTP, under the name of who asked for the training. */
async function register({ job, notes, parts: { folder, registry } }: Ended): Promise<Outcome> {
  const made = await folder.made(job.id);
  if (made === null)
    throw new AdbreakError('training_failed', `Cannot register what ${job.id} made: it left no model`);
  await using model = await registry.receive(made.model());
  const facts = await registry.register(model, made.text, job.who, { name: job.model, version: job.version });
  notes.say(`registered ${facts.name} ${facts.version}`);
  return { kind: 'finished', result: met(facts) };
}

type Registered = Pick<Manifest, 'name' | 'version' | 'digest' | 'metrics'>;
function met({ name, version, digest, metrics }: Registered): TrainingResult {
  return { requirements: 'met', missed: '', uploaded: { name, version, digest }, metrics };
}

function failureIn(cause: unknown): TrainingFailure {
  const error = storageError(cause, 'the folder of the job');
  const known =
    error instanceof AdbreakError ? error : new AdbreakError('internal', `Cannot train: ${explain(error)}`);
  return failureOf({ code: known.code, message: explain(known), remedy: known.remedy });
}
