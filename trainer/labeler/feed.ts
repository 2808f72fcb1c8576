import type { ServerResponse } from 'node:http';
import type { LabelsChanged } from '@adbreak/shared/contract/labelling.js';
import { Listeners } from '@adbreak/shared/listeners.js';

const HEARTBEAT_MS = 15_000;
/** The labels of a recording with ten thousand stretches, some times over. */
const MOST_UNREAD = 32 * 1024 * 1024;

/** The stream of events (server-sent events, HTML Living Standard 9.2). Events `labels` have their sequence as id. */
export class Feed implements Disposable {
  readonly #listeners = new Listeners(HEARTBEAT_MS, MOST_UNREAD);

  /** A new listener hears first of what it has missed. */
  admit(response: ServerResponse, address: string, missed: readonly LabelsChanged[]): void {
    this.#listeners.admit(response, address);
    for (const changed of missed) response.write(labelsEvent(changed));
  }

  labels(changed: LabelsChanged): void {
    this.#listeners.send(labelsEvent(changed));
  }

  tell(event: 'recording' | 'piece' | 'spots', data: unknown): void {
    this.#listeners.send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  [Symbol.dispose](): void {
    this.#listeners[Symbol.dispose]();
  }
}

function labelsEvent(changed: LabelsChanged): string {
  return `event: labels\nid: ${changed.sequence}\ndata: ${JSON.stringify(changed)}\n\n`;
}
