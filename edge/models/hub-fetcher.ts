import { MODEL_LIMIT } from '@adbreak/shared/contract/manifest.js';
import type { HubClient } from '@adbreak/shared/hub-client.js';
import { HubRefusal } from '@adbreak/shared/hub-fault.js';
import { BaseFetcher } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';

/** Downloads from the hub, as tuf-js wants them. */
export class HubFetcher extends BaseFetcher {
  readonly #hub: HubClient;
  readonly #request: { what: string; signal: AbortSignal | undefined; limit: number };
  #failure: unknown = null;

  constructor(hub: HubClient, what: string, signal: AbortSignal | undefined) {
    super();
    this.#hub = hub;
    this.#request = { what, signal, limit: MODEL_LIMIT };
  }

  /**
   * Why the last download did not come to its end; null where it did. tuf-js makes a sentence of it, and forgets the
   * error.
   */
  get failure(): unknown {
    return this.#failure;
  }

  override async fetch(url: string): Promise<ReadableStream> {
    this.#failure = null;
    try {
      return ReadableStream.from(this.#noting(await this.#hub.download(url, this.#request)));
    } catch (error) {
      this.#failure = forTuf(error);
      throw this.#failure;
    }
  }

  async *#noting(bytes: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* bytes;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }
}

/** tuf-js knows this class by identity: a 404 on the next root ends its search for one. */
function forTuf(error: unknown): unknown {
  if (!(error instanceof HubRefusal)) return error;
  const { message, status, cause, retryAfterMs } = error;
  return Object.assign(new DownloadHTTPError(message, status), { cause, retryAfterMs });
}
