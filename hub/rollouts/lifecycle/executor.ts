import type { Desired, WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState, StoredRollout } from '../../store/state.js';
import type { Store, Writing } from '../../store/store.js';
import type { Order } from '../events.js';
import type { Verdict } from '../gate.js';
import type { Plan } from '../plan.js';
import { isActive, type Rollout, type RoundOutcome } from '../rollout.js';
import { Assignment } from './assignment.js';
import { Decisions, type Taken } from './decisions.js';
import { type Excluded, type Exclusion, Exclusions } from './exclusions.js';
import { type Carriers, Outbox } from './outbox.js';
import { ahead, Followers, misassigned } from './reconciliation.js';
import { type PromoteRequest, Requests } from './requests.js';
import { siblingsOf } from './siblings.js';
import { Turns } from './turns.js';

export interface ExecutorOptions {
  readonly store: Store;
  readonly now: () => Date;
  readonly publishDesired: (desired: Desired, device: string) => Promise<void>;
  readonly onDecision: (rollout: Rollout, verdict: Verdict | null) => void;
  /** A gate waits for a federated round. Starts none where one is open for it already; tried again at the next look where it throws. */
  readonly startRound: (rollout: Rollout) => Promise<void>;
  /** Hears what went wrong with one rollout, while the others go on. */
  readonly complain: Log;
}

/**
 * Carries out what the gate and people decide. An event, the state it leads to, what it changes of the registry, and what is left
 * to do outside are one transaction; that is done afterwards, again at every look until it is. docs/decisions/012-store.md.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #decisions: Decisions;
  readonly #assignment: Assignment;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #exclusions: Exclusions;
  readonly #followers = new Followers();
  /** By rollout or model, the last complaint: the same one is not told at every look. */
  readonly #complaints = new Map<string, string>();
  #ticking = false;
  /** What is under way: a close waits for it. */
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: ExecutorOptions) {
    const { store, now, onDecision, publishDesired } = options;
    this.#options = options;
    this.#decisions = new Decisions({ store, now, onDecision, turns: new Turns() });
    this.#assignment = new Assignment({ store, now, publishDesired, decisions: this.#decisions });
    this.#outbox = new Outbox({
      store,
      find: (id) => this.find(id),
      carriers: this.#carriers,
      complain: (id, error) => this.#complain('rollout', id, error),
      mended: (id) => this.#complaints.delete(id),
    });
    this.#requests = new Requests({
      store,
      now,
      decisions: this.#decisions,
      assignment: this.#assignment,
      outbox: this.#outbox,
    });
    this.#exclusions = new Exclusions({ store, now, decisions: this.#decisions, outbox: this.#outbox });
  }

  readonly #carriers: Carriers = {
    'supersede-siblings': async ({ id, group, to }) => {
      for (const other of this.#options.store.state.rollouts.filter(
        (one) => one.group === group && one.id !== id && isActive(one),
      ))
        await this.#requests.order(other.id, 'supersede', `gate:${id}`, `${to.version} passed and goes on`);
    },
    assign: ({ model }) => this.#assignment.assign(model),
    'start-round': async (rollout) => {
      // The gate may have gone on since: then nobody waits for the round.
      if (isActive(rollout) && rollout.last?.cause === 'round') await this.#options.startRound(rollout);
    },
  };

  /** Resolves when nothing of it writes any more. Whoever comes later is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** Who comes after the close is refused; what came before it is waited for. */
  #track<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(
        new AdbreakError('hub_unreachable', 'Cannot go on with rollouts: the hub is being stopped'),
      );
    const running = begin();
    this.#running.add(running);
    const done = () => void this.#running.delete(running);
    running.then(done, done);
    return running;
  }

  /** One look at every running rollout, and at what is left to do. */
  async tick(): Promise<void> {
    if (!this.#closed) await this.#track(() => this.#tick());
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      for (const { id } of [...this.#options.store.state.rollouts]) {
        if (this.#closed) return;
        await this.#look(id).catch((error: unknown) => this.#complain('rollout', id, error));
      }
      await this.#reconcile();
    } finally {
      this.#ticking = false;
    }
  }

  /** What devices should have beside what they were sent and report: whatever was lost on the way is made good here. */
  async #reconcile(): Promise<void> {
    const { store, now } = this.#options;
    const assignment = this.#assignment;
    const mend = async (what: 'model' | 'fleet', subject: string, work: () => Promise<void>) => {
      if (this.#closed) return;
      try {
        await work();
        this.#complaints.delete(subject);
      } catch (error) {
        this.#complain(what, subject, error);
      }
    };
    await mend('fleet', 'revoked devices', () => this.#exclusions.settle());
    for (const model of new Set([...assignment.owed, ...misassigned(store.state)]))
      await mend('model', model, () => assignment.assign(model));
    await mend('fleet', 'desired states', async () => {
      const higher = ahead(store.state, now().getTime());
      if (higher.length > 0) await assignment.surpass(higher);
      await assignment.again([
        ...assignment.unsent(),
        ...this.#followers.overdue(store.state, now().getTime()),
      ]);
    });
  }

  /** Since when a device that is online has not taken its newest desired state; null where it has, or nobody knows yet. */
  behindSince(device: string): Date | null {
    const since = this.#followers.since(device);
    return since === null ? null : new Date(since);
  }

  /** The gate's look at one rollout, and what is left to do of its decisions. */
  async #look(id: string): Promise<void> {
    const { store, now } = this.#options;
    const rollout = this.find(id);
    if (isActive(rollout))
      await this.#decisions.decide(id, {
        kind: 'tick',
        at: now().toISOString(),
        siblings: siblingsOf(store.state.rollouts, rollout),
      });
    await this.#outbox.carryOut(id);
  }

  /** Starts a rollout from the current production version, or raises the ceiling of the one that runs already. */
  promote(request: PromoteRequest): Promise<Rollout | null> {
    return this.#track(() => this.#requests.promote(request));
  }
  /** Two or more candidates beside the same production; each device runs one of them. */
  compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    return this.#track(() => this.#requests.compare(model, versions, plan, who));
  }
  /** Takes a completed rollout's version back, as a rollout of the version before it. */
  rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
    return this.#track(() => this.#requests.rollback(id, plan, who, reason));
  }
  /** A person's word on a rollout. Throws `conflict` where it does not fit its state; recorded in its log and the audit log. */
  order(id: string, order: Order, who: string, reason: string, percent?: number): Promise<Rollout> {
    return this.#track(() => this.#requests.order(id, order, who, reason, percent));
  }
  /** Takes a device's evidence out of rollouts: see `Exclusions.exclude`. */
  exclude(exclusion: Exclusion, rollout?: string): Promise<Excluded> {
    return this.#track(() => this.#exclusions.exclude(exclusion, rollout));
  }
  /** What follows for rollouts when a device's identity was revoked; done again, it changes nothing. */
  revoked(device: string, who: string): Promise<void> {
    return this.#track(async () => {
      await this.#exclusions.ofRevoked(device, who);
      const model = ownValue(this.#options.store.state.devices, device)?.model;
      if (model !== undefined) await this.#assignment.assign(model);
    });
  }
  /** For what must find no rollout that is about to begin: see `Requests.between`. */
  betweenRollouts<T>(model: string, change: () => Promise<T>): Promise<T> {
    return this.#track(() => this.#requests.between(model, change));
  }

  /** A window report of a device, with what else is written with it: see `Decisions.take`. */
  take(
    device: string,
    report: WindowReport,
    write?: (state: HubState, writing: Writing) => Taken | null,
  ): Promise<void> {
    return this.#track(() => this.#decisions.take(device, report, write));
  }
  deviceSays(device: string, model: string, problem: string | null): Promise<void> {
    return this.#track(() => this.#decisions.deviceSays(device, model, problem));
  }
  enrolledAgain(device: string): Promise<void> {
    return this.#track(() => this.#decisions.enrolledAgain(device));
  }
  roundClosed(id: string, round: RoundOutcome): Promise<void> {
    return this.#track(() => this.#decisions.roundClosed(id, round));
  }
  assign(model: string, only?: readonly string[]): Promise<void> {
    return this.#track(() => this.#assignment.assign(model, only));
  }

  /** After a start: the broker keeps retained messages in memory only, and a kill may have come before an effect. */
  async recover(): Promise<void> {
    const { store } = this.#options;
    for (const device of Object.keys(store.state.devices)) await this.enrolledAgain(device);
    await this.#exclusions.settle();
    for (const id of this.#outbox.rollouts) await this.#outbox.carryOut(id);
    for (const model of Object.keys(store.state.models)) await this.assign(model);
    await this.#assignment.publish(Object.keys(store.state.devices));
  }

  find(id: string): StoredRollout {
    return this.#decisions.find(id);
  }

  #complain(what: 'rollout' | 'model' | 'fleet', subject: string, error: unknown): void {
    const line = `${what} ${subject}: ${explain(error)}`;
    if (this.#complaints.get(subject) === line) return;
    this.#complaints.set(subject, line);
    this.#options.complain(line, { ...(what !== 'fleet' && { [what]: subject }), error });
  }
}
