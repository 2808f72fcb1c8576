import { Agent, fetch, type Response } from 'undici';
import { errorInAnswer } from './contract/wire-error.js';
import { AdbreakError } from './errors.js';
import { type Fault, faultOf, HubRefusal } from './hub-fault.js';

/** Who asks: the hub's certificate must be from this authority (PEM); with key and certificate (PEM) the TLS is mutual. */
export interface HubCredentials {
  readonly authority: string;
  readonly certificate?: string;
  readonly key?: string;
}

interface HubRequest {
  /** As people say it after "Cannot": `renew the certificate of pi-1`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** For all of it, milliseconds. */
  readonly timeoutMs?: number;
  /** Bytes of the answer, after any decompression. */
  readonly limit?: number;
}
interface JsonRequest extends HubRequest {
  /** Makes it a POST. */
  readonly body?: unknown;
}

const ANSWER = { timeoutMs: 30_000, limit: 64 * 1024 };
/** A slow line may take its time over a model, as long as something comes. */
const DOWNLOAD = { timeoutMs: 3_600_000, limit: 2 ** 28 };
const SILENCE_MS = 30_000;
const CONNECT_MS = 15_000;

/**
 * The hub over HTTPS, for devices. It does as every caller needs it: mutual TLS under the newest certificate, no TLS session of
 * an earlier connection (each handshake asks anew whether the certificate still counts), no redirects, an end in time and in
 * bytes. Errors are coded and name hub and path: the hub's own no is a HubRefusal; whatever else is not its answer is
 * `hub_unreachable`. Who was told to stop by its signal hears the signal's reason.
 */
export class HubClient implements AsyncDisposable {
  readonly #hub: string;
  readonly #credentials: HubCredentials;
  readonly #silenceMs: number;
  #connections: { readonly agent: Agent; readonly certificate: string | undefined } | null = null;

  /** The credentials are read again at each request: a renewal exchanges them. */
  constructor(hub: string, credentials: HubCredentials, { silenceMs = SILENCE_MS }: { silenceMs?: number } = {}) {
    this.#hub = hub;
    this.#credentials = credentials;
    this.#silenceMs = silenceMs;
  }

  /** Asks for JSON: still unparsed, as everything from outside. */
  async ask(path: string, { what, body, signal, timeoutMs = ANSWER.timeoutMs, limit = ANSWER.limit }: JsonRequest): Promise<unknown> {
    const call = new Call(what, new URL(path, this.#hub), { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call, body);
      const text = await call.whole(answer);
      if (!answer.ok) throw call.refusal(answer, text);
      return call.json(text);
    });
  }

  /** The bytes behind a path or URL. Bounds and codes hold for the stream, too. */
  async download(url: string, { what, signal, timeoutMs = DOWNLOAD.timeoutMs, limit = DOWNLOAD.limit }: HubRequest): Promise<ReadableStream<Uint8Array>> {
    const call = new Call(what, new URL(url, this.#hub), { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call);
      if (!answer.ok) throw call.refusal(answer, await call.whole(answer, ANSWER.limit));
      return ReadableStream.from(call.stream(answer));
    });
  }

  #send(call: Call, body?: unknown): Promise<Response> {
    return fetch(call.url, {
      dispatcher: this.#agent(),
      signal: call.signal,
      redirect: 'manual',
      ...(body !== undefined && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  }

  #agent(): Agent {
    const { authority, certificate, key } = this.#credentials;
    if (this.#connections?.certificate === certificate && this.#connections !== null) return this.#connections.agent;
    // What is under way ends under the certificate it began with.
    void this.#connections?.agent.close();
    const agent = new Agent({
      connect: { ca: authority, ...(certificate !== undefined && { cert: certificate }), ...(key !== undefined && { key }), timeout: CONNECT_MS },
      maxCachedSessions: 0,
      headersTimeout: this.#silenceMs,
      bodyTimeout: this.#silenceMs,
    });
    this.#connections = { agent, certificate };
    return agent;
  }

  /** What is under way ends here, whether its answer was read or not. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections?.agent.destroy();
    this.#connections = null;
  }
}

/** One request: its bounds, and its words for whatever goes wrong. */
class Call {
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly #what: string;
  readonly #limit: number;
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal | undefined;

  constructor(what: string, url: URL, { signal, timeoutMs, limit }: { signal: AbortSignal | undefined; timeoutMs: number; limit: number }) {
    this.url = url;
    this.#what = what;
    this.#limit = limit;
    this.#timeoutMs = timeoutMs;
    this.#outer = signal;
    const timeout = AbortSignal.timeout(timeoutMs);
    this.signal = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  }

  async coded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#told(error);
    }
  }

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
    }
  }

  async whole(answer: Response, limit = this.#limit): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(answer, limit)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  json(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#unreachable({ why: 'its answer is not JSON', cause });
    }
  }

  refusal({ status, headers }: Response, text: string): HubRefusal {
    const said = errorInAnswer(parsed(text));
    const retryAfter = headers.get('retry-after');
    if (said === null) return new HubRefusal(this.#unreachable({ why: `it answered status ${status}, and not as a hub does` }), { status, retryAfter });
    return new HubRefusal(said, { status, retryAfter, cause: new Error(`${this.url.origin}${this.url.pathname} answered status ${status}`) });
  }

  #told(error: unknown): unknown {
    if (this.#outer?.aborted) return this.#outer.reason;
    return error instanceof AdbreakError ? error : this.#unreachable(faultOf(error, this.url.hostname, this.#timeoutMs));
  }

  #unreachable({ why, remedy, cause }: Fault): AdbreakError {
    const sentence = `Cannot ${this.#what} at ${this.url.origin}${this.url.pathname}`;
    return new AdbreakError('hub_unreachable', why === undefined ? sentence : `${sentence}: ${why}`, { cause, ...(remedy !== undefined && { remedy }) });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
