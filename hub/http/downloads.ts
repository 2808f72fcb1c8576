import type { Quotas } from '../fleet/quotas.js';
import type { Artifact } from '../registry/artifact.js';
import { Turns } from './turns.js';

/** Shorter than a client waits for the first byte (shared/hub-client.ts). */
const WAIT_MS = 20_000;
/** An agent fetches a model for itself and one for a round; it has a file's end before we know that it has. */
const WAITING = 3;
const AGAIN_SECONDS = 10;

/** What devices fetch of the registry: one file at a time for each, charged to its quota. */
export class Downloads {
  readonly #quotas: Pick<Quotas, 'fetch'>;
  readonly #turns = new Turns({
    waiting: WAITING,
    ms: WAIT_MS,
    again: AGAIN_SECONDS,
    doing: 'send this file now',
  });

  constructor(quotas: Pick<Quotas, 'fetch'>) {
    this.#quotas = quotas;
  }

  /** A file as a device gets it. Its reading begins when its turn has come, and rejects with TooSoon. */
  of(device: string, artifact: Artifact): Artifact {
    const read: Artifact['read'] = async (from, to) => {
      const end = await this.#turns.take(device);
      try {
        const refusal = this.#quotas.fetch(device, to - from + 1, performance.now());
        if (refusal !== null) throw refusal;
        const bytes = await artifact.read(from, to);
        return bytes.once('close', end);
      } catch (error) {
        end();
        throw error;
      }
    };
    return { ...artifact, read };
  }
}
