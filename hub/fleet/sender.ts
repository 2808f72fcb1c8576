import type { Desired } from '@adbreak/shared/contract/messages.js';
import { type SignedDesired, takesSigned } from '@adbreak/shared/contract/signed-desired.js';
import { explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';
import { wordTo } from './desired.js';

interface Options {
  readonly store: Store;
  readonly now: () => Date;
  readonly sign: (payload: string) => SignedDesired;
  /** Publishes a device's retained word. */
  readonly publish: (device: string, word: string) => Promise<void>;
  readonly log: Log;
}

/**
 * Sends devices what they shall run, in the words that their agents read, and signed anew before it is old.
 */
export class Sender {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  send(desired: Desired, id: string): Promise<void> {
    const { now, sign, publish } = this.#options;
    return publish(id, wordTo(this.#device(id), desired, now(), sign));
  }

  /**
   * Takes a device's message. Where its agent turns out to read other words than before, it is sent those at
   * once.
   */
  async after(id: string, take: () => Promise<void>): Promise<void> {
    const before = takesSigned(this.#agent(id));
    await take();
    if (takesSigned(this.#agent(id)) !== before) await this.#again(id);
  }

  /** Every hour: who comes then finds a word that is not old, and who is there hears the time. */
  async signAnew(): Promise<void> {
    for (const { id, revoked, agent } of Object.values(this.#options.store.state.devices))
      if (!revoked && takesSigned(agent)) await this.#again(id);
  }

  async #again(id: string): Promise<void> {
    const { store, log } = this.#options;
    const desired = ownValue(store.state.devices, id)?.desired ?? null;
    if (desired === null) return;
    await this.send(desired, id).catch((error: unknown) =>
      log(`${id}: cannot send what it shall run: ${explain(error)}`, { device: id, error }),
    );
  }

  #device(id: string): Pick<HubState['devices'][string], 'id' | 'agent' | 'stream' | 'refusal'> {
    return ownValue(this.#options.store.state.devices, id) ?? { id };
  }
  #agent(id: string): string | undefined {
    return this.#device(id).agent;
  }
}
