import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import { isErrorCode } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import type { FromWorker, ToWorker } from './protocol.js';

export interface Inference {
  readonly probability: number;
  readonly milliseconds: number;
}
export interface ModelFile {
  readonly path: string;
  readonly manifest: Manifest;
}
export interface ChildOptions {
  readonly threads?: number;
  readonly runtime?: RuntimeChoice;
  /** A frame that takes longer means a hang. */
  readonly timeoutMs?: number;
}

const LOAD_TIMEOUT_MS = 30_000;
/** Small heaps: two children and the agent share a Pi. The model itself lives outside the heap. */
const NODE_FLAGS = ['--max-old-space-size=48', '--max-semi-space-size=2'];

/** One inference process with one model. It is dead after the first crash or hang; its owner decides what comes next. */
export class InferenceChild implements AsyncDisposable {
  readonly model: ModelFile;
  readonly #child: ChildProcess;
  readonly #timeoutMs: number;
  #next = 0;
  #waiting = new Map<number, { resolve: (result: Inference) => void; reject: (error: Error) => void }>();
  #gone: AdbreakError | null = null;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess, model: ModelFile, timeoutMs: number) {
    this.#child = child;
    this.model = model;
    this.#timeoutMs = timeoutMs;
    this.#exited = new Promise((resolve) => void child.once('exit', () => resolve()));
    child.on('message', (message: FromWorker) => this.#receive(message));
    child.on('exit', (code, signal) =>
      this.#die(`the inference process of ${model.manifest.name} ${model.manifest.version} ended (${signal ?? `code ${code}`})`),
    );
  }

  /** Starts a child and loads the model in it. Throws the child's own coded error where the model is refused. */
  static async start(model: ModelFile, options: ChildOptions = {}): Promise<InferenceChild> {
    const child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: NODE_FLAGS,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const answer = await new Promise<FromWorker>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new AdbreakError('inference_failed', `Cannot load ${model.path}: no answer within ${LOAD_TIMEOUT_MS} ms`)),
        LOAD_TIMEOUT_MS,
      );
      child.once('message', (message: FromWorker) => {
        clearTimeout(timer);
        resolve(message);
      });
      const fail = (why: string, cause?: Error) => {
        clearTimeout(timer);
        reject(new AdbreakError('inference_failed', `Cannot load ${model.path}: ${why}`, { cause }));
      };
      child.once('exit', (code, signal) => fail(`the inference process ended (${signal ?? `code ${code}`})`));
      child.on('error', (cause) => fail('the inference process cannot be started', cause));
      const load: ToWorker = { kind: 'load', ...model, threads: options.threads ?? 1, runtime: options.runtime ?? 'auto' };
      sendTo(child, load);
    }).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    if (answer.kind === 'refused') {
      child.kill('SIGKILL');
      throw new AdbreakError(isErrorCode(answer.code) ? answer.code : 'inference_failed', answer.message);
    }
    child.removeAllListeners('exit');
    return new InferenceChild(child, model, options.timeoutMs ?? 10_000);
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
        () => this.#die(`the inference process of ${this.model.manifest.version} gave no result within ${this.#timeoutMs} ms`),
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

  #receive(message: FromWorker): void {
    if (message.kind !== 'result' && message.kind !== 'failed') return;
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === 'result') waiting?.resolve(message);
    else waiting?.reject(new AdbreakError('inference_failed', message.message));
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
