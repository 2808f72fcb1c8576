import { Worker } from 'node:worker_threads';
import { type Order, type Share, type Side, type Word, word } from './messages.js';
import { type Pairing, spansOf } from './reports.js';

/** A device with its certificate, as the hub has enrolled it. */
export interface Enrolled {
  readonly device: string;
  readonly key: string;
  readonly certificate: string;
}
export interface Fleet {
  readonly authority: string;
  readonly devices: readonly Enrolled[];
  readonly pairing: Pairing;
}
/** What happens around the seconds that count. */
interface Watch {
  readonly counting: () => void;
  readonly counted: () => void;
}
/** What one side acknowledged while it was its turn. */
export interface Segment {
  readonly acksPerSecond: number;
  /** Sorted, milliseconds. */
  readonly latencies: Float32Array;
  /** Of the busiest of the generator's threads: near 1, the generator was the limit. */
  readonly busy: number;
  /** Sum over the devices since they connected. */
  readonly acknowledged: ReadonlyMap<string, number>;
}

/** The hub takes 500 connections of one address, and a whole loopback of addresses is ours. */
const DEVICES_PER_ADDRESS = 400;

/** The load generator: threads that hold the fleet's connections to both sides. */
export class Load implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #signal: AbortSignal;

  constructor({ authority, devices, pairing }: Fleet, threads: number, signal: AbortSignal) {
    this.#signal = signal;
    const spans = spansOf(pairing, Date.now());
    const shares = Array.from({ length: Math.min(threads, devices.length) }, (_, part): Share => {
      const own = devices.map((one, index) => ({
        ...one,
        index,
        from: `127.0.0.${1 + Math.floor(index / DEVICES_PER_ADDRESS)}`,
      }));
      return { authority, spans, pairing, devices: own.filter(({ index }) => index % threads === part) };
    });
    this.#workers = shares.map(
      (workerData) => new Worker(new URL('./worker.js', import.meta.url), { workerData }),
    );
  }

  /** `heard` hears how many sessions are open. */
  async connect(side: Side, port: number, heard: (connected: number) => void): Promise<void> {
    const open = this.#workers.map(() => 0);
    await this.#all({ kind: 'connect', side, port }, 'connected', (said, part) => {
      if (said.kind !== 'connecting') return;
      open[part] = said.connected;
      heard(open.reduce((sum, n) => sum + n, 0));
    });
  }

  async run(
    side: Side,
    { warm, seconds }: { readonly warm: number; readonly seconds: number },
    watch: Watch,
  ): Promise<Segment> {
    const done = await this.#all({ kind: 'run', side, warm, seconds }, 'done', ({ kind }, part) => {
      // One thread's clock is everybody's: they began within milliseconds.
      if (part === 0 && (kind === 'counting' || kind === 'counted')) watch[kind]();
    });
    return {
      acksPerSecond: done.reduce((sum, one) => sum + one.latencies.length / one.seconds, 0),
      latencies: sorted(done.map(({ latencies }) => latencies)),
      busy: Math.max(...done.map(({ busy }) => busy)),
      acknowledged: new Map(done.flatMap(({ acknowledged }) => acknowledged)),
    };
  }

  async close(side: Side): Promise<void> {
    await this.#all({ kind: 'close', side }, 'closed', () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /**
   * An order to every thread; resolves with their last words. Rejects where one fails, or the signal comes.
   */
  #all<K extends Word['kind']>(
    order: Order,
    last: K,
    heard: (said: Word, part: number) => void,
  ): Promise<Extract<Word, { kind: K }>[]> {
    return Promise.all(
      this.#workers.map((worker, part) => this.#one(worker, order, last, (said) => heard(said, part))),
    );
  }

  #one<K extends Word['kind']>(
    worker: Worker,
    order: Order,
    last: K,
    heard: (said: Word) => void,
  ): Promise<Extract<Word, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        worker.off('message', take).off('error', fail);
        this.#signal.removeEventListener('abort', stop);
        finish();
      };
      const fail = (error: unknown) => settle(() => reject(error));
      const stop = () => fail(this.#signal.reason);
      const take = (value: unknown) => {
        const said = word.parse(value);
        if (said.kind === 'failed') return fail(new Error(`the load generator failed: ${said.reason}`));
        heard(said);
        if (isOf(said, last)) settle(() => resolve(said));
      };
      worker.on('message', take).on('error', fail);
      this.#signal.addEventListener('abort', stop, { once: true });
      if (this.#signal.aborted) stop();
      else worker.postMessage(order);
    });
  }
}

function isOf<K extends Word['kind']>(said: Word, kind: K): said is Extract<Word, { kind: K }> {
  return said.kind === kind;
}

function sorted(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.sort();
}

export function quantile(sorted: Float32Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
