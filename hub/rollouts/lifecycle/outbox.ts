import type { OutboxEntry } from '../../store/state.js';
import type { Store } from '../../store/store.js';
import type { Rollout } from '../rollout.js';

/** What carries out each kind of effect; each is idempotent, for it may have been done before a kill. A kind without one does not compile. */
export type Carriers = { readonly [K in OutboxEntry['kind']]: (rollout: Rollout) => Promise<void> };

interface Options {
  readonly store: Store;
  readonly find: (id: string) => Rollout;
  readonly carriers: Carriers;
  /** Hears once of each trouble, with the rollout whose effect it is. */
  readonly complain: (rollout: string, error: unknown) => void;
  readonly mended: (rollout: string) => void;
}

/** What decisions have left to do outside the database: rows written with the decision, struck out when done. */
export class Outbox {
  readonly #options: Options;
  readonly #carrying = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** The rollouts that have something left to do. */
  get rollouts(): readonly string[] {
    return [...new Set(Object.values(this.#options.store.state.outbox).map(({ rollout }) => rollout))];
  }

  /** What a rollout's decisions left to do, one after the other; what fails stays for the next look. */
  async carryOut(rollout: string): Promise<void> {
    // Whoever is at it takes what comes meanwhile along.
    if (this.#carrying.has(rollout)) return;
    this.#carrying.add(rollout);
    const { store, find, carriers, complain, mended } = this.#options;
    const failed = new Set<string>();
    try {
      for (;;) {
        const next = Object.entries(store.state.outbox).find(
          ([key, entry]) => entry.rollout === rollout && !failed.has(key),
        );
        if (next === undefined) break;
        const [key, { kind }] = next;
        try {
          await carriers[kind](find(rollout));
          await store.change(({ outbox }) => void delete outbox[key]);
        } catch (error) {
          failed.add(key);
          complain(rollout, error);
        }
      }
      if (failed.size === 0) mended(rollout);
    } finally {
      this.#carrying.delete(rollout);
    }
  }
}
