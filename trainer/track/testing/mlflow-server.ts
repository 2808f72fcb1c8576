import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { z } from 'zod';

/** How the server misbehaves with one request. */
export type Misdeed =
  /** Answers this instead, and does nothing. */
  | { readonly status: number; readonly text: string; readonly headers?: Record<string, string> }
  /** Says nothing, and does nothing. */
  | 'silence'
  /** Does half of a batch, then answers 500. */
  | 'half'
  /** Does all of it, then cuts the line. */
  | 'cut';

interface Run {
  readonly experiment: string;
  readonly tags: Record<string, string>;
  readonly params: Record<string, string>;
  /** As MLflow keeps them: one with the same key, time, step and value once. */
  readonly metrics: Set<string>;
  status: string;
}
interface Version {
  readonly name: string;
  readonly version: string;
  readonly run: string;
  readonly source: string;
}

/** What is asked for: `runs/log-batch`, or `PUT 1/r1/artifacts/model.tflite`. */
interface Asked {
  readonly what: string;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: number;
}

const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const bodySchema = z.object({
  name: z.string().default(''),
  experiment_id: z.string().default(''),
  run_id: z.string().default(''),
  status: z.string().default(''),
  filter: z.string().default(''),
  alias: z.string().default(''),
  version: z.string().default(''),
  source: z.string().default(''),
  tags: pairs,
  params: pairs,
  metrics: z
    .array(z.object({ key: z.string(), value: z.unknown(), timestamp: z.int(), step: z.int() }))
    .default([]),
});
type Body = z.infer<typeof bodySchema>;

class Refused extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The part of MLflow's REST API that a training uses, with its rules, and a test's own misdeeds. */
export class StubMlflow {
  readonly experiments = new Map<string, string>();
  readonly runs = new Map<string, Run>();
  readonly models = new Set<string>();
  readonly versions: Version[] = [];
  readonly aliases: Record<string, string> = {};
  readonly files = new Map<string, string>();
  readonly asked: Asked[] = [];
  url = '';

  do(what: string, query: URLSearchParams, body: Body, half: boolean): unknown {
    switch (what) {
      case 'experiments/get-by-name':
        return { experiment: { experiment_id: this.#experiment(query.get('experiment_name') ?? '') } };
      case 'experiments/create':
        return { experiment_id: add(this.experiments, body.name, String(this.experiments.size + 1)) };
      case 'runs/search': {
        const found = [...this.runs].filter(
          ([, { tags }]) => body.filter === `tags.\`adbreak.run\` = '${tags['adbreak.run']}'`,
        );
        return { runs: found.map(([id, run]) => ({ info: infoOf(id, run) })) };
      }
      case 'runs/create':
        return { run: { info: this.#create(body) } };
      case 'runs/update':
        this.run(body.run_id).status = body.status;
        return {};
      case 'runs/log-batch':
        return this.#log(this.run(body.run_id), body, half);
      case 'registered-models/create':
        if (this.models.has(body.name)) throw new Refused('RESOURCE_ALREADY_EXISTS', body.name);
        this.models.add(body.name);
        return {};
      case 'model-versions/search': {
        const of = (run: string) => query.get('filter') === `run_id='${run}'`;
        return { model_versions: this.versions.filter(({ run }) => of(run)) };
      }
      case 'model-versions/create': {
        const version = String(this.versions.length + 1);
        this.versions.push({ name: body.name, version, run: body.run_id, source: body.source });
        return { model_version: { version } };
      }
      case 'registered-models/alias':
        this.aliases[`${body.name}@${body.alias}`] = body.version;
        return {};
      default:
        throw new Refused('ENDPOINT_NOT_FOUND', what);
    }
  }

  run(id: string): Run {
    const run = this.runs.get(id);
    if (run === undefined) throw new Refused('RESOURCE_DOES_NOT_EXIST', id);
    return run;
  }

  #experiment(name: string): string {
    const id = this.experiments.get(name);
    if (id === undefined) throw new Refused('RESOURCE_DOES_NOT_EXIST', name);
    return id;
  }

  #create({ experiment_id, tags }: Body) {
    const run = {
      experiment: experiment_id,
      tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
      params: {},
      metrics: new Set<string>(),
      status: 'RUNNING',
    };
    const id = `r${this.runs.size + 1}`;
    this.runs.set(id, run);
    return infoOf(id, run);
  }

  #log(run: Run, { metrics, params }: Body, half: boolean): object {
    if (metrics.length > 1000 || params.length > 100)
      throw new Refused('INVALID_PARAMETER_VALUE', 'too many');
    for (const { key, value } of params) {
      if ((run.params[key] ?? value) !== value)
        throw new Refused('INVALID_PARAMETER_VALUE', `changed ${key}`);
      run.params[key] = value;
    }
    const taken = half ? metrics.slice(0, metrics.length / 2) : metrics;
    for (const { key, value, timestamp, step } of taken)
      run.metrics.add(JSON.stringify([key, value, timestamp, step]));
    return {};
  }
}

function infoOf(id: string, { experiment }: Run) {
  return { run_id: id, artifact_uri: `mlflow-artifacts:/${experiment}/${id}/artifacts` };
}
function add(map: Map<string, string>, key: string, value: string): string {
  if (map.has(key)) throw new Refused('RESOURCE_ALREADY_EXISTS', key);
  map.set(key, value);
  return value;
}

/**
 * Starts it on a free port. `misdeed` says how it takes the n-th (from 1) request of a kind; null: as it
 * should.
 */
export async function stubMlflow(
  t: TestContext,
  misdeed: (what: string, count: number) => Misdeed | null = () => null,
): Promise<StubMlflow> {
  const mlflow = new StubMlflow();
  const counts = new Map<string, number>();
  const server = createServer(async (message, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of message) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    const { pathname, searchParams } = new URL(message.url ?? '', 'http://stub');
    const [, path = ''] = pathname.split(/\/api\/2\.0\/mlflow(?:-artifacts\/artifacts)?\//);
    const what = message.method === 'PUT' ? `PUT ${decodeURIComponent(path)}` : path;
    mlflow.asked.push({ what, headers: message.headers, bytes: bytes.length });
    counts.set(what, (counts.get(what) ?? 0) + 1);
    const how = misdeed(what, counts.get(what) ?? 0);
    if (how === 'silence') return;
    if (how !== null && typeof how === 'object') {
      response.writeHead(how.status, how.headers).end(how.text);
      return;
    }
    answer(response, how, () => {
      if (message.method !== 'PUT')
        return mlflow.do(
          what,
          searchParams,
          bodySchema.parse(JSON.parse(bytes.toString() || '{}')),
          how === 'half',
        );
      mlflow.files.set(what.slice(4), bytes.toString('latin1'));
      return undefined;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  mlflow.url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return mlflow;
}

function answer(response: ServerResponse, how: 'half' | 'cut' | null, work: () => unknown): void {
  let [status, body]: [number, unknown] = [200, {}];
  try {
    body = work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    [status, body] = [400, { error_code: error.reason, message: error.message }];
  }
  if (how === 'cut') response.socket?.destroy();
  else response.writeHead(how === 'half' ? 500 : status).end(JSON.stringify(body) ?? '');
}
