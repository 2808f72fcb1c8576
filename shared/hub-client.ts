import { Agent, type FormData, fetch, type RequestInit, type Response } from 'undici';
import { Call } from './hub-call.js';
import type { Reader } from './hub-fault.js';

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

/** What a person or a script asks, under a bearer token. */
export interface TokenRequest extends HubRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly token: string;
  readonly json?: unknown;
  readonly form?: FormData;
}

const ANSWER = { timeoutMs: 30_000, limit: 64 * 1024 };
/** A slow line may take its time over a model, as long as something comes. */
const DOWNLOAD = { timeoutMs: 3_600_000, limit: 2 ** 28 };
const SILENCE_MS = 30_000;
const CONNECT_MS = 15_000;

/**
 * The hub over HTTPS, for devices, people and scripts. It does as every caller needs it: mutual TLS under the newest certificate, no TLS session of
 * an earlier connection (each handshake asks anew whether the certificate still counts), no redirects, an end in time and in
 * bytes. Errors are coded and name hub and path: the hub's own no is a HubRefusal; whatever else is not its answer is
 * `hub_unreachable`. Who was told to stop by its signal hears the signal's reason.
 */
export class HubClient implements AsyncDisposable {
  readonly #hub: string;
  readonly #credentials: HubCredentials;
  readonly #silenceMs: number;
  readonly #reader: Reader;
  #connections: { readonly agent: Agent; readonly certificate: string | undefined } | null = null;

  /** The credentials are read again at each request: a renewal exchanges them. */
  constructor(
    hub: string,
    credentials: HubCredentials,
    { silenceMs = SILENCE_MS, reader = 'device' }: { silenceMs?: number; reader?: Reader } = {},
  ) {
    this.#hub = hub;
    this.#credentials = credentials;
    this.#silenceMs = silenceMs;
    this.#reader = reader;
  }

  /** Asks for JSON: still unparsed, as everything from outside. */
  async ask(
    path: string,
    { what, body, signal, timeoutMs = ANSWER.timeoutMs, limit = ANSWER.limit }: JsonRequest,
  ): Promise<unknown> {
    const call = this.#call(what, path, { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call, body === undefined ? {} : { method: 'POST', ...jsonOf(body) });
      const text = await call.whole(answer);
      if (!answer.ok) throw call.refusal(answer, text);
      return call.json(text);
    });
  }

  /** The bytes behind a path or URL. Bounds and codes hold for the stream, too. */
  async download(
    url: string,
    { what, signal, timeoutMs = DOWNLOAD.timeoutMs, limit = DOWNLOAD.limit }: HubRequest,
  ): Promise<ReadableStream<Uint8Array>> {
    const call = this.#call(what, url, { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call);
      if (!answer.ok) throw call.refusal(answer, await call.whole(answer, ANSWER.limit));
      return call.readable(answer);
    });
  }

  /** Asks under a token. JSON comes still unparsed, whatever else as its bytes. */
  async askAs(path: string, request: TokenRequest): Promise<unknown> {
    const { what, method = 'GET', token, json, form, signal } = request;
    const { timeoutMs = DOWNLOAD.timeoutMs, limit = DOWNLOAD.limit } = request;
    const call = this.#call(what, path, { signal, timeoutMs, limit });
    return call.coded(async () => {
      const { headers, body } = json === undefined ? { headers: {}, body: form } : jsonOf(json);
      const answer = await this.#send(call, {
        method,
        headers: { ...headers, authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
      });
      if (!answer.ok) throw call.refusal(answer, await call.whole(answer, ANSWER.limit));
      if (!/^application\/json\b/.test(answer.headers.get('content-type') ?? '')) return call.bytes(answer);
      return call.json(await call.whole(answer));
    });
  }

  #call(
    what: string,
    path: string,
    bounds: Pick<Required<HubRequest>, 'signal' | 'timeoutMs' | 'limit'>,
  ): Call {
    return new Call(what, new URL(path, this.#hub), { ...bounds, reader: this.#reader });
  }

  #send(call: Call, request: RequestInit = {}): Promise<Response> {
    return fetch(call.url, {
      ...request,
      dispatcher: this.#agent(),
      signal: call.signal,
      redirect: 'manual',
    });
  }

  #agent(): Agent {
    const { authority, certificate, key } = this.#credentials;
    if (this.#connections?.certificate === certificate && this.#connections !== null)
      return this.#connections.agent;
    // What is under way ends under the certificate it began with.
    void this.#connections?.agent.close();
    const agent = new Agent({
      connect: {
        ca: authority,
        ...(certificate !== undefined && { cert: certificate }),
        ...(key !== undefined && { key }),
        timeout: CONNECT_MS,
      },
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

function jsonOf(value: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
