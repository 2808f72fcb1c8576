import { randomBytes } from 'node:crypto';
import type { TrainingJobView } from '@adbreak/shared/contract/http/training.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import type { Store } from '../store/store.js';
import { checkedBy } from './check.js';
import { refuseOurs } from './configuration.js';
import { datasetPath } from './datasets.js';
import {
  forgettableJobs,
  isActive,
  nextOf,
  type Outcome,
  refuseCrowd,
  standingAfter,
  type TrainingJob,
} from './job.js';
import { Notes } from './notes.js';
import { type RunParts, runJob } from './run.js';
import { refuseMissing } from './trainer.js';
import { lineOf, viewOf } from './view.js';

export interface AskedTraining {
  readonly configuration: string;
  readonly settings: readonly string[];
  readonly dataset: string;
}
interface Options extends Omit<RunParts, 'store'> {
  readonly store: Store;
  readonly now: () => Date;
  readonly log: Log;
  /** How often a job that runs is written down, milliseconds. */
  readonly noteMs: number;
}
interface Current {
  readonly id: string;
  readonly notes: Notes;
  readonly stop: AbortController;
  /** One note is on the disk before the next one is written: both are the same file. */
  readonly writes: SerialRunner;
}

/**
 * Trainings on the hub's own machine: one runs, a few wait, and all of them are rows. What a hub that was killed
 * has left half done goes on from its checkpoint at the next start.
 */
export class TrainingJobs {
  readonly #options: Options;
  #current: Current | null = null;
  #work: Promise<void> | null = null;
  /** No more jobs are begun: the hub is being stopped, or its memory could not be written. */
  #ended = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Takes up what was cut off, and begins with what waits: to be called before anybody can ask for another one. */
  async begin(): Promise<void> {
    const { store, folder, log } = this.#options;
    for (const job of Object.values(store.state.trainingJobs)) {
      if (job.standing.state !== 'running') continue;
      const { state } = await this.#settle(job.id, { kind: 'interrupted', counts: true });
      log(`training ${job.id} was cut off; ${state === 'queued' ? 'it goes on' : `it has ${state}`}`);
    }
    await folder.tidy((id) => store.state.trainingJobs[id] !== undefined);
    this.#wake();
  }

  /**
   * Puts a training into the queue once the trainer itself has looked at its configuration and its data set.
   * Throws what is wrong with them, `trainer_missing`, and `conflict` where trainings are off, the version is
   * taken, or too many wait.
   */
  async ask(asked: AskedTraining, who: string): Promise<TrainingJobView> {
    const { store, datasets, trainer, now } = this.#options;
    const dataset = await datasetPath(datasets, asked.dataset);
    await refuseMissing(trainer);
    refuseOurs(asked.configuration, asked.settings);
    const { name: model, version } = await checkedBy(this.#options, asked, dataset);
    const id = newId();
    await store.change((state, writing) => {
      refuseTaken(state.models, model, version);
      refuseCrowd(state.trainingJobs, model, version);
      state.trainingJobs[id] = {
        id,
        model,
        version,
        configuration: asked.configuration,
        settings: [...asked.settings],
        dataset: asked.dataset,
        who,
        asked: now().toISOString(),
        standing: { state: 'queued' },
        interruptions: 0,
        progress: null,
        epochs: [],
      };
      const after = { model, version, dataset: asked.dataset };
      writing.audit({ who, what: 'training.ask', subject: id, after });
    });
    this.#wake();
    return this.find(id);
  }

  /** The newest first. */
  list() {
    const jobs = this.#options.store.state.trainingJobs;
    return Object.values(jobs)
      .reverse()
      .map((job) => lineOf(jobs, this.#now(job)));
  }

  /** Throws `not_found`. */
  find(id: string): TrainingJobView {
    const jobs = this.#options.store.state.trainingJobs;
    return viewOf(jobs, this.#now(known(jobs, id)));
  }

  /** The newest lines of what it has said. Throws `not_found`. */
  async logOf(id: string): Promise<readonly string[]> {
    known(this.#options.store.state.trainingJobs, id);
    return this.#current?.id === id ? this.#current.notes.lines : this.#options.folder.readLog(id);
  }

  /** Calls a job off. Throws `not_found`, and `conflict` where it has come to its end. */
  async cancel(id: string, who: string): Promise<TrainingJobView> {
    const { store, now } = this.#options;
    await store.change((state, writing) => {
      const job = known(state.trainingJobs, id);
      if (!isActive(job))
        throw new AdbreakError('conflict', `Cannot call ${id} off: it has ${job.standing.state}`);
      const { standing } = job;
      if (standing.state === 'running') job.standing = { ...standing, cancelled: standing.cancelled ?? who };
      else job.standing = { state: 'cancelled', begun: null, ended: now().toISOString(), cancelled: who };
      writing.audit({ who, what: 'training.cancel', subject: id });
    });
    if (this.#current?.id === id) this.#current.stop.abort();
    return this.find(id);
  }

  /** What runs keeps what it has learnt, and goes on at the next start. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#current?.stop.abort();
    await this.#work;
  }

  /** A job as it stands this moment: what was said since it was written down is in it. */
  #now(job: TrainingJob): TrainingJob {
    if (this.#current?.id !== job.id) return job;
    const { epochs, progress } = this.#current.notes;
    return { ...job, epochs, progress };
  }

  #wake(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = null;
      // One may have come after the last look.
      if (!this.#ended && nextOf(this.#options.store.state.trainingJobs) !== undefined) this.#wake();
    });
  }

  /** Never rejects: a store that cannot be written is tried again when the next job comes, or at the next start. */
  async #run(): Promise<void> {
    const { store, log } = this.#options;
    try {
      for (
        let job = nextOf(store.state.trainingJobs);
        job !== undefined;
        job = nextOf(store.state.trainingJobs)
      ) {
        if (this.#ended) return;
        await this.#runOne(job);
      }
    } catch (error) {
      this.#ended = true;
      log(`trainings wait for the next start: ${explain(error)}`, { error });
    }
  }

  async #runOne({ id }: TrainingJob): Promise<void> {
    const { store, folder, now, log, noteMs } = this.#options;
    const begins = await store.change(({ trainingJobs }) => {
      const one = known(trainingJobs, id);
      // It may have been called off since it was looked at.
      if (one.standing.state !== 'queued') return false;
      one.standing = { state: 'running', begun: now().toISOString(), cancelled: null };
      return true;
    });
    if (!begins) return;
    const job = known(store.state.trainingJobs, id);
    const notes = new Notes(await folder.readLog(id).catch(() => []), job.epochs, job.progress);
    const current = { id, notes, stop: new AbortController(), writes: new SerialRunner() };
    this.#current = current;
    // Who called it off since it began to run has found nothing to stop yet.
    const { standing } = known(store.state.trainingJobs, id);
    if (this.#ended || (standing.state === 'running' && standing.cancelled !== null)) current.stop.abort();
    log(`training ${id}: ${job.model} ${job.version} begins`, { model: job.model });
    const writes = setInterval(() => void this.#note(current), noteMs);
    try {
      const outcome = await runJob(job, notes, this.#options, current.stop.signal);
      clearInterval(writes);
      await this.#note(current);
      const { state } = await this.#settle(id, outcome);
      log(`training ${id}: ${state}${toldOf(outcome)}`, { model: job.model });
    } finally {
      clearInterval(writes);
      this.#current = null;
    }
  }

  /** What was said so far onto the disk. What cannot be written costs no more than these lines. */
  #note({ id, notes, writes }: Current): Promise<void> {
    return writes.run(async () => {
      if (!notes.takeFresh()) return;
      const { store, folder, log } = this.#options;
      try {
        await folder.writeLog(id, notes.lines);
        await store.change(({ trainingJobs }) => {
          Object.assign(known(trainingJobs, id), { epochs: [...notes.epochs], progress: notes.progress });
        });
      } catch (error) {
        log(`training ${id}: ${explain(error)}`, { error });
      }
    });
  }

  async #settle(id: string, outcome: Outcome): Promise<TrainingJob['standing']> {
    const { store, folder, now } = this.#options;
    const { standing, forgotten } = await store.change(({ trainingJobs }, writing) => {
      const job = known(trainingJobs, id);
      const after = standingAfter(job, outcome, now());
      Object.assign(job, after);
      if (after.standing.state !== 'queued') writing.audit(endOf(id, after.standing));
      const old = forgettableJobs(trainingJobs);
      for (const one of old) delete trainingJobs[one];
      return { standing: after.standing, forgotten: old };
    });
    for (const one of forgotten) await folder.forget(one).catch(() => undefined);
    return standing;
  }
}

function endOf(id: string, standing: TrainingJob['standing']) {
  const after = {
    state: standing.state,
    ...(standing.state === 'finished' && { uploaded: standing.result.uploaded }),
    ...(standing.state === 'failed' && { code: standing.failure.code }),
  };
  return { who: 'hub', what: 'training.end', subject: id, after };
}

function toldOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') return `: ${outcome.failure.message}`;
  if (outcome.kind === 'interrupted') return '';
  const { uploaded, missed } = outcome.result;
  return uploaded === null ? `: ${missed}` : `: ${uploaded.name} ${uploaded.version} is registered`;
}

function known(jobs: Readonly<Record<string, TrainingJob>>, id: string): TrainingJob {
  const job = ownValue(jobs, id);
  if (job !== undefined) return job;
  throw new AdbreakError('not_found', `Cannot find the training ${id}: there is none of this name`, {
    remedy: 'See `adbreak jobs list`.',
  });
}

function refuseTaken(models: Store['state']['models'], model: string, version: string): void {
  const { versions, deleted } = models[model] ?? {};
  if (versions?.[version] === undefined && deleted?.[version] === undefined) return;
  throw new AdbreakError('conflict', `Cannot train ${model} ${version}: it exists already, or did`, {
    remedy: 'Versions never change: set model.version to the next one.',
  });
}

function newId(): string {
  return `t-${randomBytes(6).toString('hex')}`;
}
