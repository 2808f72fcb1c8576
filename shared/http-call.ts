import type { Response } from 'undici';
import { type AnySignal, anySignal } from './any-signal.js';
import { AdbreakError } from './errors.js';
import type { Fault, Peer } from './http-fault.js';

export interface Bounds {
  /** The caller's stop. */
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** Bytes of the answer. */
  readonly limit: number;
}

/**
 * One request: its bounds, and its words for whatever goes wrong. Its end, or that of its answer, lets go of
 * the caller's signal.
 */
export class Call {
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly #what: string;
  readonly #limit: number;
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal | undefined;
  readonly #peer: Peer;
  readonly #bounds: AnySignal;

  constructor(what: string, url: URL, { signal, timeoutMs, limit }: Bounds, peer: Peer) {
    this.url = url;
    this.#what = what;
    this.#limit = limit;
    this.#timeoutMs = timeoutMs;
    this.#outer = signal;
    this.#peer = peer;
    this.#bounds = anySignal([signal], timeoutMs);
    this.signal = this.#bounds.signal;
  }

  /** Whatever goes wrong in it is told as this client's callers hear it. */
  async coded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#bounds[Symbol.dispose]();
      throw this.#told(error);
    }
  }

  /** The bytes, counted as they come. */
  async *stream({ body }: Response, limit = this.#limit): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    try {
      for await (const chunk of body ?? []) {
        bytes += chunk.length;
        if (bytes > limit) throw this.#unreachable({ why: `its answer has more than ${limit} bytes` });
        yield chunk;
      }
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#bounds[Symbol.dispose]();
    }
  }

  /** The same as a stream that nobody has to read: a cancelled one lets go, too. */
  readable(answer: Response): ReadableStream<Uint8Array> {
    const chunks = this.stream(answer);
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => {
          await chunks.return(undefined);
          this.#bounds[Symbol.dispose]();
          if (answer.body?.locked === false) await answer.body.cancel();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async bytes(answer: Response, limit = this.#limit): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(answer, limit)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async json(answer: Response): Promise<unknown> {
    const text = (await this.bytes(answer)).toString();
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#unreachable({ why: 'its answer is not JSON', cause });
    }
  }

  /** The error for an answer that is a no, of which at most `limit` bytes are read. */
  async refusal(answer: Response, limit: number): Promise<AdbreakError> {
    const text = (await this.bytes(answer, Math.min(limit, this.#limit))).toString();
    const { status, headers } = answer;
    const no = { url: this.url, status, text, retryAfter: headers.get('retry-after') };
    return this.#peer.refusal(no, (why) => this.#unreachable({ why }));
  }

  #told(error: unknown): unknown {
    if (this.#outer?.aborted) return this.#outer.reason;
    return error instanceof AdbreakError
      ? error
      : this.#unreachable(this.#peer.faultOf(error, this.url.hostname, this.#timeoutMs));
  }

  #unreachable({ why, remedy, cause }: Fault): AdbreakError {
    const sentence = `Cannot ${this.#what} at ${this.url.origin}${this.url.pathname}`;
    const mend = remedy ?? this.#peer.remedy;
    return new AdbreakError(this.#peer.unreachable, why === undefined ? sentence : `${sentence}: ${why}`, {
      cause,
      ...(mend !== undefined && { remedy: mend }),
    });
  }
}
