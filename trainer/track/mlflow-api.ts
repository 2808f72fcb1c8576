import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { RunHeader, RunOutcome } from '../ports.js';
import { type Metric, metricBatches, parameterBatches } from './mlflow-batches.js';
import { type MlflowClient, MlflowRefusal } from './mlflow-client.js';

export interface MlflowRun {
  readonly id: string;
  readonly artifactUri: string;
}

const id = z.string().min(1).max(256);
const nothing = z.looseObject({});
const experimentSchema = z.object({
  experiment: z.object({ experiment_id: id, lifecycle_stage: z.string().default('active') }),
});
const runSchema = z.object({ info: z.object({ run_id: id, artifact_uri: z.string().max(4096) }) });
const versionSchema = z.object({ version: z.coerce.string().min(1).max(20) });
const STATUS = { finished: 'FINISHED', failed: 'FAILED', interrupted: 'KILLED' } as const;

/**
 * What a training does at an MLflow server. Each function may be called again after it failed half way,
 * however far it came: what is there already is found, and not made twice.
 */
export class MlflowApi {
  readonly #client: MlflowClient;

  constructor(client: MlflowClient) {
    this.#client = client;
  }

  /** The id of the experiment with this name; it is made where there is none. */
  async experiment(name: string): Promise<string> {
    const known = await this.#experimentNamed(name);
    if (known !== null) return known;
    const what = `create the experiment ${name}`;
    const created = await unlessThere(
      this.#client.ask('experiments/create', what, z.object({ experiment_id: id }), { name }),
    );
    // Somebody else has made it in between.
    const made = created?.experiment_id ?? (await this.#experimentNamed(name));
    if (made === null)
      throw new AdbreakError('tracker_refused', `Cannot ${what}: it is there, and is not found`);
    return made;
  }

  async #experimentNamed(name: string): Promise<string | null> {
    const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
    const found = await orNull(
      this.#client.ask(path, `find the experiment ${name}`, experimentSchema),
      'RESOURCE_DOES_NOT_EXIST',
    );
    if (found === null) return null;
    if (found.experiment.lifecycle_stage === 'active') return found.experiment.experiment_id;
    throw new AdbreakError('tracker_refused', `Cannot use the experiment ${name}: it was deleted`, {
      remedy:
        'Restore it with `mlflow experiments restore`, or name another one as `tracking.mlflow.experiment`.',
    });
  }

  /** The run of this training: the one that it had before it was interrupted, or a new one. */
  async run(experiment: string, run: RunHeader): Promise<MlflowRun> {
    const { name, version, startedAt } = run;
    const key = `${name}@${version}@${startedAt.toISOString()}`;
    const search = {
      experiment_ids: [experiment],
      filter: `tags.\`adbreak.run\` = '${key}'`,
      max_results: 1,
    };
    const known = await this.#client.ask(
      'runs/search',
      `find the run ${key}`,
      z.object({ runs: z.array(runSchema).default([]) }),
      search,
    );
    const found = known.runs[0] ?? (await this.#createRun(experiment, run, key));
    const { run_id, artifact_uri } = found.info;
    if (known.runs.length > 0)
      await this.#client.ask('runs/update', `go on with the run ${key}`, nothing, {
        run_id,
        status: 'RUNNING',
      });
    return { id: run_id, artifactUri: artifact_uri };
  }

  async #createRun(experiment: string, { name, version, startedAt }: RunHeader, key: string) {
    const request = {
      experiment_id: experiment,
      run_name: `${name} ${version}`,
      start_time: startedAt.getTime(),
      tags: Object.entries({
        'adbreak.run': key,
        'adbreak.version': version,
        'mlflow.source.name': 'adbreak train',
        'mlflow.source.type': 'LOCAL',
      }).map(([tag, value]) => ({ key: tag, value })),
    };
    const made = await this.#client.ask(
      'runs/create',
      `create a run in experiment ${experiment}`,
      z.object({ run: runSchema }),
      request,
    );
    return made.run;
  }

  /** MLflow takes a parameter once: the same value again is well, another one is refused. */
  async parameters(run: MlflowRun, parameters: Readonly<Record<string, string>>): Promise<void> {
    for (const params of parameterBatches(parameters)) await this.#logBatch(run, { params });
  }

  /** A metric with the same time, step and value counts once. */
  async metrics(run: MlflowRun, metrics: readonly Metric[]): Promise<void> {
    for (const batch of metricBatches(metrics)) await this.#logBatch(run, { metrics: batch });
  }

  async #logBatch(run: MlflowRun, batch: object): Promise<void> {
    await this.#client.ask('runs/log-batch', `log to the run ${run.id}`, nothing, {
      run_id: run.id,
      ...batch,
    });
  }

  /** A registered version of the run's files, and the alias on it. */
  async register(run: MlflowRun, { name, version }: RunHeader, alias: string): Promise<void> {
    const what = `register ${name} ${version}`;
    await unlessThere(this.#client.ask('registered-models/create', what, nothing, { name }));
    const filter = encodeURIComponent(`run_id='${run.id}'`);
    const { model_versions: known } = await this.#client.ask(
      `model-versions/search?filter=${filter}`,
      what,
      z.object({ model_versions: z.array(versionSchema).default([]) }),
    );
    const registered = known[0] ?? (await this.#createVersion(run, name, version, what));
    await this.#client.ask('registered-models/alias', what, nothing, {
      name,
      alias,
      version: registered.version,
    });
  }

  async #createVersion(run: MlflowRun, name: string, version: string, what: string) {
    const request = {
      name,
      source: run.artifactUri,
      run_id: run.id,
      tags: [{ key: 'version', value: version }],
    };
    const made = await this.#client.ask(
      'model-versions/create',
      what,
      z.object({ model_version: versionSchema }),
      request,
    );
    return made.model_version;
  }

  async finish(run: MlflowRun, status: RunOutcome['status'], at: Date): Promise<void> {
    const request = { run_id: run.id, status: STATUS[status], end_time: at.getTime() };
    await this.#client.ask('runs/update', `end the run ${run.id}`, nothing, request);
  }
}

async function orNull<T>(asked: Promise<T>, reason: string): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MlflowRefusal && error.reason === reason) return null;
    throw error;
  }
}
function unlessThere<T>(asked: Promise<T>): Promise<T | null> {
  return orNull(asked, 'RESOURCE_ALREADY_EXISTS');
}
