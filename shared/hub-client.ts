import { Agent, fetch, type Response } from 'undici';
import { Call } from './hub-call.js';

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
  constructor(
    hub: string,
    credentials: HubCredentials,
    { silenceMs = SILENCE_MS }: { silenceMs?: number } = {},
  ) {
    this.#hub = hub;
    this.#credentials = credentials;
    this.#silenceMs = silenceMs;
  }

  /** Asks for JSON: still unparsed, as everything from outside. */
  async ask(
    path: string,
    { what, body, signal, timeoutMs = ANSWER.timeoutMs, limit = ANSWER.limit }: JsonRequest,
  ): Promise<unknown> {
    const call = new Call(what, new URL(path, this.#hub), { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call, body);
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
    const call = new Call(what, new URL(url, this.#hub), { signal, timeoutMs, limit });
    return call.coded(async () => {
      const answer = await this.#send(call);
      if (!answer.ok) throw call.refusal(answer, await call.whole(answer, ANSWER.limit));
      return call.readable(answer);
    });
  }

  #send(call: Call, body?: unknown): Promise<Response> {
    return fetch(call.url, {
      dispatcher: this.#agent(),
      signal: call.signal,
      redirect: 'manual',
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
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
