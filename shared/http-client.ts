import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { type Bounds, Call } from './http-call.js';
import type { Peer } from './http-fault.js';

/**
 * Where certificates must be from (PEM; without it, from an authority that Node knows); with a pair of one's
 * own the TLS is mutual.
 */
export interface Credentials {
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface HttpRequest extends Bounds {
  /** As people say it after "Cannot": `renew the certificate of pi-1`. */
  readonly what: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestInit['body'];
}

/** Bytes of a no. */
const REFUSAL_LIMIT = 64 * 1024;
const SILENCE_MS = 30_000;
const CONNECT_MS = 15_000;

/**
 * HTTP as every caller here needs it: a connection under the newest certificate, no TLS session of an earlier
 * one (each handshake asks anew whether the certificate still counts), no redirects, an end in time and in
 * bytes, errors in the words of `peer`. Who was told to stop by its signal hears the signal's reason.
 */
export class HttpClient implements AsyncDisposable {
  readonly #base: string;
  readonly #peer: Peer;
  readonly #credentials: Credentials;
  readonly #silenceMs: number;
  #connections: { readonly agent: Agent; readonly certificate: string | undefined } | null = null;

  /** The credentials are read again at each request: a renewal exchanges them. */
  constructor(
    base: string,
    peer: Peer,
    credentials: Credentials,
    { silenceMs = SILENCE_MS }: { silenceMs?: number | undefined } = {},
  ) {
    this.#base = base;
    this.#peer = peer;
    this.#credentials = credentials;
    this.#silenceMs = silenceMs;
  }

  /** Asks for a path or a URL, and takes what it needs of a good answer. */
  async exchange<T>(
    path: string,
    request: HttpRequest,
    take: (call: Call, answer: Response) => Promise<T>,
  ): Promise<T> {
    const { what, method, headers, body } = request;
    const call = new Call(what, new URL(path, this.#base), request, this.#peer);
    return call.coded(async () => {
      const answer = await fetch(call.url, {
        ...(method !== undefined && { method }),
        ...(headers !== undefined && { headers }),
        ...(body !== undefined && { body }),
        dispatcher: this.#agent(),
        signal: call.signal,
        redirect: 'manual',
      });
      if (!answer.ok) throw await call.refusal(answer, REFUSAL_LIMIT);
      return await take(call, answer);
    });
  }

  /** The JSON behind it: still unparsed, as everything from outside. */
  async json(path: string, request: HttpRequest): Promise<unknown> {
    return this.exchange(path, request, (call, answer) => call.json(answer));
  }

  #agent(): Agent {
    const { authority, certificate, key } = this.#credentials;
    if (this.#connections?.certificate === certificate && this.#connections !== null)
      return this.#connections.agent;
    // What is under way ends under the certificate it began with.
    void this.#connections?.agent.close();
    const agent = new Agent({
      connect: {
        ...(authority !== undefined && { ca: authority }),
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

/** A body of JSON. */
export function jsonOf(value: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
