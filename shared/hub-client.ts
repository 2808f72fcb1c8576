import type { FormData } from 'undici';
import { type Credentials, HttpClient, jsonOf } from './http-client.js';
import { hubAsPeer, type Reader } from './hub-fault.js';

/**
 * Who asks: the hub's certificate must be from this authority (PEM); with key and certificate (PEM) the TLS
 * is mutual.
 */
export interface HubCredentials extends Credentials {
  readonly authority: string;
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

/**
 * The hub over HTTPS, for devices, people and scripts. Errors are coded and name hub and path: the hub's own
 * no is a HubRefusal; whatever else is not its answer is `hub_unreachable`.
 */
export class HubClient implements AsyncDisposable {
  readonly #http: HttpClient;

  /** The credentials are read again at each request: a renewal exchanges them. */
  constructor(
    hub: string,
    credentials: HubCredentials,
    { silenceMs, reader = 'device' }: { silenceMs?: number; reader?: Reader } = {},
  ) {
    this.#http = new HttpClient(hub, hubAsPeer(reader), credentials, { silenceMs });
  }

  /** Asks for JSON: still unparsed, as everything from outside. */
  async ask(
    path: string,
    { what, body, signal, timeoutMs = ANSWER.timeoutMs, limit = ANSWER.limit }: JsonRequest,
  ): Promise<unknown> {
    const sent = body === undefined ? {} : { method: 'POST', ...jsonOf(body) };
    return this.#http.json(path, { what, signal, timeoutMs, limit, ...sent });
  }

  /** The bytes behind a path or URL. Bounds and codes hold for the stream, too. */
  async download(
    url: string,
    { what, signal, timeoutMs = DOWNLOAD.timeoutMs, limit = DOWNLOAD.limit }: HubRequest,
  ): Promise<ReadableStream<Uint8Array>> {
    const request = { what, signal, timeoutMs, limit };
    return this.#http.exchange(url, request, async (call, answer) => call.readable(answer));
  }

  /** Asks under a token. JSON comes still unparsed, whatever else as its bytes. */
  async askAs(path: string, request: TokenRequest): Promise<unknown> {
    const { what, method = 'GET', token, json, form, signal } = request;
    const { timeoutMs = DOWNLOAD.timeoutMs, limit = DOWNLOAD.limit } = request;
    const { headers, body } = json === undefined ? { headers: {}, body: form } : jsonOf(json);
    const sent = {
      method,
      headers: { ...headers, authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    };
    return this.#http.exchange(path, { what, signal, timeoutMs, limit, ...sent }, (call, answer) =>
      /^application\/json\b/.test(answer.headers.get('content-type') ?? '')
        ? call.json(answer)
        : call.bytes(answer),
    );
  }

  /** What is under way ends here, whether its answer was read or not. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}
