import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { type FromWorker, fromWorker, type ToWorker } from './protocol.js';

export interface Inference {
  readonly probability: number;
  readonly milliseconds: number;
  /** From the nearest pictures of training, in units of `manifest.unsure`; where it was asked for. */
  readonly distance?: number | undefined;
}
export interface ModelFile {
  readonly path: string;
  readonly manifest: Manifest;
}
export interface ChildOptions {
  readonly threads?: number;
  readonly runtime?: RuntimeChoice;
  /** Measure how far each picture is from those of training; the manifest must tell how. */
  readonly distance?: boolean;
  /** A frame that takes longer means a hang. */
  readonly timeoutMs?: number;
  /** What runs in the process; tests put something that breaks the rules there. */
  readonly program?: URL;
}

const LOAD_TIMEOUT_MS = 30_000;
/** Small heaps: two children and the agent share a Pi. The model itself lives outside the heap. */
const NODE_FLAGS = ['--max-old-space-size=48', '--max-semi-space-size=2'];

/** One inference process with one model. It is dead after the first crash or hang; its owner decides what comes next. */
export class InferenceChild implements AsyncDisposable {
  readonly model: ModelFile;
  /** What runs the model. */
  readonly runtime: string;
  readonly #child: ChildProcess;
  readonly #timeoutMs: number;
  #next = 0;
  #waiting = new Map<number, { resolve: (result: Inference) => void; reject: (error: Error) => void }>();
  #gone: AdbreakError | null = null;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess, model: ModelFile, runtime: string, timeoutMs: number) {
    this.#child = child;
    this.model = model;
    this.runtime = runtime;
    this.#timeoutMs = timeoutMs;
    this.#exited = new Promise((resolve) => void child.once('exit', () => resolve()));
    child.on('message', (said: unknown) => this.#receive(said));
    child.on('exit', (code, signal) =>
      this.#die(
        `the inference process of ${model.manifest.name} ${model.manifest.version} ended (${signal ?? `code ${code}`})`,
      ),
    );
  }

  /** Starts a child and loads the model in it. Throws the child's own coded error where the model is refused. */
  static async start(model: ModelFile, options: ChildOptions = {}): Promise<InferenceChild> {
    const child = fork(fileURLToPath(options.program ?? new URL('./worker.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: NODE_FLAGS,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const load: ToWorker = {
      kind: 'load',
      ...model,
      threads: options.threads ?? 1,
      runtime: options.runtime ?? 'auto',
      ...(options.distance && { distance: true }),
    };
    const answer = await firstAnswer(child, load).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    if (answer.kind !== 'loaded') {
      child.kill('SIGKILL');
      throw refusal(answer, model);
    }
    child.removeAllListeners('exit');
    return new InferenceChild(child, model, answer.runtime, options.timeoutMs ?? 10_000);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }
  get alive(): boolean {
    return this.#gone === null;
  }

  /** p(ad) of one RGB24 frame. Rejects with `inference_failed` when the child fails, hangs or is gone. */
  infer(pixels: Uint8Array): Promise<Inference> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.#die(
            `the inference process of ${this.model.manifest.version} gave no result within ${this.#timeoutMs} ms`,
          ),
        this.#timeoutMs,
      );
      this.#waiting.set(id, {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      const message: ToWorker = { kind: 'infer', id, pixels };
      sendTo(this.#child, message);
    });
  }

  /** Who breaks the rules, by what it says or by an answer to what nobody asked, is ended: nothing that it says counts any more. */
  #receive(said: unknown): void {
    if (this.#gone !== null) return;
    try {
      const message = fromWorker(said);
      if (message.kind === 'loaded')
        throw new AdbreakError('inference_failed', 'it says again that its model is loaded');
      if (message.kind === 'refused') throw new AdbreakError('inference_failed', message.message);
      const waiting = this.#waiting.get(message.id);
      if (waiting === undefined)
        throw new AdbreakError('inference_failed', `it answers frame ${message.id}, which waits for nothing`);
      this.#waiting.delete(message.id);
      if (message.kind === 'result') waiting.resolve(message);
      else waiting.reject(new AdbreakError('inference_failed', message.message));
    } catch (error) {
      this.#die(
        `the inference process of ${this.model.manifest.version} breaks the rules: ${explain(error)}`,
      );
    }
  }

  #die(why: string): void {
    this.#gone ??= new AdbreakError('inference_failed', `Cannot infer: ${why}`);
    this.#child.kill('SIGKILL');
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#child.exitCode === null && this.#child.signalCode === null;
    this.#die('it was stopped');
    if (running) await this.#exited;
  }
}

/**
 * A child may end between two frames, and its channel closes before its end is told. Without a callback `send` reports
 * that as an 'error' event (EPIPE, ERR_IPC_CHANNEL_CLOSED), which unheard ends the agent. A child that cannot be reached
 * is ended; its 'exit' then says how it ended, and what waits for it is rejected.
 */
function sendTo(child: ChildProcess, message: ToWorker): void {
  child.send(message, (error) => {
    if (error !== null) child.kill('SIGKILL');
  });
}

/** What the process says to its model; rejects where it says nothing, or nothing that can be understood. */
async function firstAnswer(child: ChildProcess, load: ToWorker & { kind: 'load' }): Promise<FromWorker> {
  const cannot = (why: string, cause?: unknown) =>
    new AdbreakError('inference_failed', `Cannot load ${load.path}: ${why}`, { cause });
  const said = await new Promise<unknown>((resolve, reject) => {
    const timer = setTimeout(() => reject(cannot(`no answer within ${LOAD_TIMEOUT_MS} ms`)), LOAD_TIMEOUT_MS);
    const fail = (error: AdbreakError) => {
      clearTimeout(timer);
      reject(error);
    };
    child.once('message', (message: unknown) => {
      clearTimeout(timer);
      resolve(message);
    });
    child.once('exit', (code, signal) =>
      fail(cannot(`the inference process ended (${signal ?? `code ${code}`})`)),
    );
    child.on('error', (cause) => fail(cannot('the inference process cannot be started', cause)));
    sendTo(child, load);
  });
  try {
    return fromWorker(said);
  } catch (cause) {
    throw cannot('the inference process breaks the rules', cause);
  }
}

function refusal(answer: Exclude<FromWorker, { kind: 'loaded' }>, { path }: ModelFile): AdbreakError {
  if (answer.kind !== 'refused')
    return new AdbreakError(
      'inference_failed',
      `Cannot load ${path}: the inference process answers what nobody asked`,
    );
  return new AdbreakError(isErrorCode(answer.code) ? answer.code : 'inference_failed', answer.message);
}
