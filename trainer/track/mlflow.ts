import type { Backoff } from '@adbreak/shared/backoff.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { retry } from '@adbreak/shared/retry.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import type { EpochRecord, RunHeader, RunOutcome } from '../ports.js';
import { artifactFolder, artifactsOf } from './artifacts.js';
import type { Watch } from './guard.js';
import { MlflowApi, type MlflowRun } from './mlflow-api.js';
import { type Metric, nameOf } from './mlflow-batches.js';
import { isPassing, MlflowClient, type Secret } from './mlflow-client.js';
import type { DatedTracker } from './tracker.js';

export interface MlflowOptions {
  /** Without a secret in it. */
  readonly url: string;
  readonly secret: Secret;
  readonly experiment: string;
  readonly alias: string;
  /** PEM; where it is undefined, the authorities that Node knows. */
  readonly authority?: string | undefined;
  readonly backoff?: Backoff;
  /** A server that sends nothing for so long is as good as gone. */
  readonly silenceMs?: number;
}

/** The longest pause is shorter than the wait at the end of a training: there is a try in it. */
const BACKOFF: Backoff = { firstMs: 1000, longestMs: 15_000, jitter: 0.5 };
/** Bytes of an artifact. */
const FILE_LIMIT = 2 ** 28;
const MODEL_FILE = 'model.tflite';

/**
 * A run of an MLflow server, over its REST API: the configuration as parameters, each epoch and the end as
 * metrics, files and pictures as artifacts, and of a training that has finished a registered version with an
 * alias. What may pass (no answer, an ill server) is tried until `signal` says stop; what MLflow refuses is
 * thrown. Where only a part is refused (parameters, a file, the registration) the rest is told all the same.
 */
export function mlflow(options: MlflowOptions, watch: Watch): DatedTracker {
  return new Mlflow(options, watch);
}

class Mlflow implements DatedTracker {
  readonly #options: MlflowOptions;
  readonly #watch: Watch;
  readonly #client: MlflowClient;
  readonly #api: MlflowApi;
  #begun: { readonly header: RunHeader; readonly run: MlflowRun } | null = null;

  constructor(options: MlflowOptions, watch: Watch) {
    this.#options = options;
    this.#watch = watch;
    const { url, secret, authority, silenceMs } = options;
    this.#client = new MlflowClient(url, secret, { authority, signal: watch.signal, silenceMs });
    this.#api = new MlflowApi(this.#client);
    watch.signal.addEventListener('abort', () => void this.#client[Symbol.asyncDispose](), { once: true });
  }

  async begin(header: RunHeader): Promise<void> {
    const experiment = await this.#tried(() => this.#api.experiment(this.#options.experiment));
    const run = await this.#tried(() => this.#api.run(experiment, header));
    this.#begun = { header, run };
    await this.#orWithout(() => this.#tried(() => this.#api.parameters(run, header.parameters)));
  }

  async epoch({ stage, epoch, epochs: _, ...values }: EpochRecord, at = new Date()): Promise<void> {
    const { run } = this.#running();
    const metrics = EPOCH_METRICS.map(
      ([key, name]): Metric => ({
        key: `${stage}/${name}`,
        value: values[key],
        timestamp: at.getTime(),
        step: epoch,
      }),
    );
    await this.#tried(() => this.#api.metrics(run, metrics));
  }

  async end(outcome: RunOutcome, at = new Date()): Promise<void> {
    const { run, header } = this.#running();
    const metrics = Object.entries(outcome.metrics).map(
      ([key, value]): Metric => ({ key, value, timestamp: at.getTime(), step: 0 }),
    );
    await this.#tried(() => this.#api.metrics(run, metrics));
    // First: files that a server does not take must not leave the run without an end.
    await this.#tried(() => this.#api.finish(run, outcome.status, at));
    await this.#orWithout(async () => {
      const names = await this.#keepFiles(run, outcome);
      if (outcome.status === 'finished' && names.includes(MODEL_FILE))
        await this.#tried(() => this.#api.register(run, header, this.#options.alias));
    });
  }

  /** Gives the names under which they are kept. */
  async #keepFiles(run: MlflowRun, { files, pictures }: RunOutcome): Promise<string[]> {
    const folder = this.#folderOf(run);
    const names: string[] = [];
    const keep = async (name: string, bytes: Uint8Array) => {
      await this.#tried(() => this.#client.put(`${folder}/${name}`, `keep ${name}`, bytes));
      names.push(name);
    };
    for (const { tag, png } of pictures) await keep(`pictures/${nameOf(tag)}.png`, png);
    for (const { path, name } of artifactsOf(files)) {
      const bytes = await readLimited(path, FILE_LIMIT);
      if (bytes === undefined)
        throw new AdbreakError('not_found', `Cannot keep ${name}: there is no ${path}`);
      await keep(name, bytes);
    }
    return names;
  }

  #folderOf({ artifactUri }: MlflowRun): string {
    const { url } = this.#options;
    const folder = artifactFolder(artifactUri, url);
    if (folder !== null) return folder;
    throw new AdbreakError('tracker_refused', `Cannot keep files at ${url}: they belong at ${artifactUri}`, {
      remedy:
        'Metrics are kept all the same. For files start the server with `--artifacts-destination`, and name a new experiment.',
    });
  }

  #running() {
    if (this.#begun === null)
      throw new AdbreakError('conflict', 'Cannot tell MLflow of a run that has not begun');
    return this.#begun;
  }

  #tried<T>(step: () => Promise<T>): Promise<T> {
    return retry(step, {
      backoff: this.#options.backoff ?? BACKOFF,
      signal: this.#watch.signal,
      uniform: Math.random,
      retryable: isPassing,
      atLeast: retryAfterOf,
      onFailure: (error) => this.#watch.troubled(error),
    });
  }

  async #orWithout(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#watch.signal.throwIfAborted();
      this.#watch.troubled(error);
    }
  }
}

const EPOCH_METRICS = [
  ['trainLoss', 'train_loss'],
  ['trainAccuracy', 'train_accuracy'],
  ['validationLoss', 'validation_loss'],
  ['validationAccuracy', 'validation_accuracy'],
  ['learningRate', 'learning_rate'],
  ['seconds', 'seconds'],
] as const satisfies readonly (readonly [keyof EpochRecord, string])[];
