import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { z } from 'zod';
import type { Benchmark } from './latency.js';

/** A model file on disk with what its inputs are. */
export interface ModelOnDisk {
  readonly path: string;
  readonly preprocess: Manifest['preprocess'];
}
export interface BenchmarkOptions {
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  readonly inferences?: number;
  /** Of a slow model as many as this time allows, milliseconds, though not fewer than twenty. */
  readonly mostMs?: number;
  readonly signal?: AbortSignal;
}
/** What the process is told. */
export interface BenchmarkOrder {
  readonly models: readonly ModelOnDisk[];
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  readonly inferences: number;
  readonly mostMs: number;
}

const number = z.number().nonnegative();
const answerSchema = z.union([
  z.strictObject({
    runtime: z.string().max(40),
    threads: z.int().positive(),
    inferences: z.int().positive(),
    meanMs: number,
    p50Ms: number,
    p95Ms: number,
    p99Ms: number,
    coldStartMs: number,
    memoryMb: number,
    modelMemoryMb: number,
  }),
  z.strictObject({ code: z.string().max(60), message: z.string().max(2000) }),
]);

const INFERENCES = 200;
const MOST_MS = 60_000;
const TIMEOUT_MS = 180_000;

/**
 * How fast a model is, in a process of its own with the agent's small heap: what this process has loaded
 * neither counts as the model's memory nor has its collections in the latencies. Several models are one
 * ensemble: each picture goes through all of them. Rejects with the worker's coded error, `inference_failed`,
 * or as the signal does.
 */
export async function benchmark(
  models: readonly ModelOnDisk[],
  { threads, runtime, inferences = INFERENCES, mostMs = MOST_MS, signal }: BenchmarkOptions,
): Promise<Benchmark> {
  signal?.throwIfAborted();
  const child = fork(fileURLToPath(new URL('./benchmark-worker.js', import.meta.url)), [], {
    execArgv: ['--max-old-space-size=48', '--max-semi-space-size=2'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const stop = () => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(stop, TIMEOUT_MS);
  try {
    const said = await new Promise<unknown>((resolve, reject) => {
      child.once('message', resolve);
      child.once('error', reject);
      child.once('exit', (code, name) =>
        reject(
          new AdbreakError(
            'inference_failed',
            `Cannot measure: the process ended (${name ?? `code ${code}`})`,
          ),
        ),
      );
      child.send({ models, threads, runtime, inferences, mostMs } satisfies BenchmarkOrder);
    });
    return benchmarkIn(said);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

function benchmarkIn(said: unknown): Benchmark {
  const answer = answerSchema.safeParse(said);
  if (!answer.success)
    throw new AdbreakError('inference_failed', 'Cannot measure: the process says what cannot be understood');
  if (!('code' in answer.data)) return answer.data;
  const { code, message } = answer.data;
  throw new AdbreakError(isErrorCode(code) ? code : 'inference_failed', message);
}
