import { type RolloutState, rolloutTopic } from '@adbreak/shared/contract/operators.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { StoredRollout } from '../store/state.js';
import type { Store } from '../store/store.js';
import { endOf, rolloutStateOf } from './rollout-state.js';

/** How long after its end a rollout is still shown. */
export const SHOWN_MS = 30 * 24 * 3_600_000;

interface Options {
  readonly store: Pick<Store, 'state'>;
  readonly now: () => Date;
  /** Puts a retained message in the place of the one before; an empty one takes it away. */
  readonly publish: (topic: string, payload: string) => Promise<void>;
}
interface Shown {
  /** Rows are replaced and not changed: the same one says the same. */
  readonly rollout: StoredRollout;
  /** What was published, but for when it was written. */
  readonly words: string;
}

/**
 * How each rollout stands, for operators to read. Nothing depends on one message: each look compares what was published
 * with what holds, so what failed goes out at the next one, and a hub that was started anew, whose broker has kept
 * nothing, publishes all.
 */
export class RolloutBoard {
  readonly #options: Options;
  readonly #shown = new Map<string, Shown>();
  readonly #looks = new SerialRunner();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Rejects where a message failed; the others went out. */
  look(): Promise<void> {
    return this.#looks.run(() => this.#look());
  }

  async #look(): Promise<void> {
    const { store, now } = this.#options;
    const at = now();
    const { rollouts } = store.state;
    const shown = rollouts.filter((rollout) => at.getTime() < (endOf(rollout) ?? at.getTime()) + SHOWN_MS);
    const kept = new Set(shown.map(({ id }) => id));
    const outcomes = await Promise.allSettled([
      ...shown.map((rollout) => this.#show(rollout, at)),
      ...[...this.#shown.keys()].filter((id) => !kept.has(id)).map((id) => this.#takeAway(id)),
    ]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #show(rollout: StoredRollout, now: Date): Promise<void> {
    const known = this.#shown.get(rollout.id);
    if (known?.rollout === rollout) return;
    const state = rolloutStateOf(rollout, now);
    const words = wordsOf(state);
    if (known?.words !== words) await this.#options.publish(rolloutTopic(rollout.id), JSON.stringify(state));
    this.#shown.set(rollout.id, { rollout, words });
  }

  async #takeAway(id: string): Promise<void> {
    await this.#options.publish(rolloutTopic(id), '');
    this.#shown.delete(id);
  }
}

function wordsOf({ at: _, ...said }: RolloutState): string {
  return sha256(JSON.stringify(said));
}
