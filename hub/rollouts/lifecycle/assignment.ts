import { isDeepStrictEqual } from 'node:util';
import type { Desired } from '@adbreak/shared/contract/messages.js';
import { SerialRunners } from '@adbreak/shared/serial-runner.js';
import { assignments, sameAssignment } from '../../fleet/desired.js';
import { ROLLOUTS_LEFT } from '../../store/state.js';
import type { Store } from '../../store/store.js';
import { isActive } from '../rollout.js';
import type { Decisions } from './decisions.js';
import { activeRollouts, memberships } from './memberships.js';

interface Options {
  readonly store: Store;
  readonly decisions: Decisions;
  readonly now: () => Date;
  readonly publishDesired: (desired: Desired, device: string) => Promise<void>;
}

/** Who runs what: the members of every rollout, and the desired state of every device. */
export class Assignment {
  readonly #options: Options;
  /** By device, the revision of the desired state that it was given last: what differs from it is still to be published. */
  readonly #published = new Map<string, number>();
  /** By model, one at a time, each from what the one before has committed. */
  readonly #turns = new SerialRunners();
  /** Models whose assignment failed: it is tried again at the next look, whoever asked for it. */
  readonly #owed = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  get owed(): readonly string[] {
    return [...this.#owed];
  }

  /**
   * Gives every device of a model its desired state where it has not got it: published is what is on disk, and what a failed
   * write or a failed message held back is published by the next call. `only` where nothing has changed but what concerns
   * these devices, a round that one has answered: that costs no look at the others.
   */
  assign(model: string, only?: readonly string[]): Promise<void> {
    return this.#turns.run(model, async () => {
      try {
        if (only !== undefined) return await this.#give(model, only);
        this.#owed.delete(model);
        await this.#assign(model);
      } catch (error) {
        this.#owed.add(model);
        throw error;
      }
    });
  }

  async #assign(model: string): Promise<void> {
    const { store, decisions, now } = this.#options;
    for (const { id } of activeRollouts(store.state, model)) {
      // Anew for each: while one was written, another order may have moved devices.
      const { members, acting, excepted } = memberships(store.state, model).get(id) ?? {
        members: [],
        acting: [],
        excepted: {},
      };
      const rollout = decisions.find(id);
      if (!isActive(rollout)) continue;
      const before = { members: rollout.members, acting: rollout.acting, excepted: rollout.excepted };
      if (isDeepStrictEqual(before, { members, acting, excepted })) continue;
      await decisions.decide(id, { kind: 'assigned', at: now().toISOString(), members, acting, excepted });
    }
    await this.#give(model);
  }

  /** Members are what they were; what devices shall run follows from them. */
  async #give(model: string, only?: readonly string[]): Promise<void> {
    const { store } = this.#options;
    const wanted = assignments(store.state, model, only);
    // Of a hub that was restored, devices have seen revisions that it does not know: they would ignore its next ones.
    const floor = store.state.revisionFloor;
    // Compared with what is committed, so that a fleet in which nothing changes costs no drafts.
    const moved = [...wanted].filter(([id, assignment]) => {
      const desired = store.state.devices[id]?.desired ?? null;
      return (desired?.revision ?? 0) <= floor || !sameAssignment(assignment, desired);
    });
    if (moved.length > 0)
      await store.change(({ devices }) => {
        for (const [id, assignment] of moved) {
          const device = devices[id];
          if (device === undefined) continue;
          const left = device.desired?.rollout ?? null;
          // Windows of before may still come, and are no lie.
          if (left !== null && left !== assignment.rollout)
            device.rolloutsLeft = [left, ...(device.rolloutsLeft ?? []).filter((one) => one !== left)].slice(
              0,
              ROLLOUTS_LEFT,
            );
          device.desired = {
            ...assignment,
            revision: Math.max(device.desired?.revision ?? 0, floor) + 1,
          };
        }
      });
    await this.publish(wanted.keys());
  }

  /** Sends desired states that were sent already: nobody knows what became of the message. */
  async again(devices: readonly string[]): Promise<void> {
    for (const id of devices) this.#published.delete(id);
    await this.publish(devices);
  }

  /** Goes beyond revisions that devices know of another hub, or of this one before it was restored. */
  async surpass(known: readonly (readonly [device: string, revision: number])[]): Promise<void> {
    const { store } = this.#options;
    await store.change(({ devices }) => {
      for (const [id, revision] of known) {
        const desired = devices[id]?.desired;
        if (desired != null && desired.revision <= revision) desired.revision = revision + 1;
      }
    });
    await this.publish(known.map(([id]) => id));
  }

  /** What a failed message held back. */
  unsent(): string[] {
    return Object.values(this.#options.store.state.devices).flatMap(({ id, desired }) =>
      desired !== null && this.#published.get(id) !== desired.revision ? [id] : [],
    );
  }

  /** Rejects where one message failed; the others go out. */
  async publish(devices: Iterable<string>): Promise<void> {
    const { store, publishDesired } = this.#options;
    const outcomes = await Promise.allSettled(
      [...devices].map(async (id) => {
        const desired = store.state.devices[id]?.desired ?? null;
        if (desired === null || this.#published.get(id) === desired.revision) return;
        await publishDesired(desired, id);
        this.#published.set(id, desired.revision);
      }),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}
