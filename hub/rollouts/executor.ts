import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Desired, WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { assignments, productionOf } from '../fleet/desired.js';
import { referenceWeeks } from '../monitoring/hours.js';
import type { Model, Pending, StoredRollout } from '../store/state.js';
import type { AuditEntry, Store } from '../store/store.js';
import type { EventOf, Order, RolloutEvent } from './events.js';
import { noEvidence } from './evidence.js';
import { promotionLog, type Sibling, type Verdict, weigh } from './gate.js';
import { isOfFirstGate, type RolloutLog } from './log.js';
import { activeRollouts, memberships } from './memberships.js';
import type { Plan } from './plan.js';
import { type Entry, isActive, type Rollout, type RoundOutcome } from './rollout.js';
import { standingOf } from './standing.js';
import { type Effect, start, step } from './step.js';

export interface ExecutorOptions {
  readonly store: Store;
  readonly log: RolloutLog;
  readonly now: () => Date;
  readonly publishDesired: (desired: Desired, device: string) => Promise<void>;
  readonly onDecision: (rollout: Rollout, verdict: Verdict | null) => void;
  /** A gate waits for a federated round. Starts none where one is open for it already; tried again at the next look where it throws. */
  readonly startRound: (rollout: Rollout) => Promise<void>;
  /** Hears what went wrong with one rollout, while the others go on. */
  readonly complain: (line: string) => void;
}
interface PromoteRequest {
  readonly model: string;
  readonly version: string;
  readonly percent: number;
  readonly plan: Plan;
  readonly who: string;
  /** Ends a rollout of another version that is running. */
  readonly supersede?: boolean;
}

type Moving = Exclude<RolloutEvent, { kind: 'started' }>;
/** An event that waits for its turn. */
interface Waiting {
  readonly event: Moving;
  readonly audit: AuditEntry | undefined;
  readonly done: (stored: Promise<void> | undefined) => void;
  readonly fail: (reason: unknown) => void;
}
/** So many reports share one write of the log. */
const MOST_AT_ONCE = 500;

/**
 * Carries out what the gate and people decide: the event into the log, then the new state into memory and to disk, then the
 * effects, each of them idempotent. What is in memory of a rollout is in its log, in the same order: a failed write of the
 * log changes nothing, and a start takes from the log what the state has not seen. docs/decisions/005.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  /** By rollout: one event at a time, or some reports together. */
  readonly #queues = new Map<string, Waiting[]>();
  readonly #carrying = new Set<string>();
  /** By rollout, the last complaint: the same one is not told at every look. */
  readonly #complaints = new Map<string, string>();
  /** By model, the end of the last request that looks whether a rollout may begin, and begins it. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** By device, the revision of the desired state that it was given last: what differs from it is still to be published. */
  readonly #published = new Map<string, number>();
  /** Models whose assignment failed: it is tried again at the next look, whoever asked for it. */
  readonly #owed = new Set<string>();
  #ticking = false;
  /** What is under way: a close waits for it. */
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Resolves when nothing of it writes any more: neither the logs nor, by what is left to do, the state. Whoever comes later is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #track<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running);
    const done = () => void this.#running.delete(running);
    running.then(done, done);
    return running;
  }

  /** One look at every running rollout. */
  tick(): Promise<void> {
    return this.#track(this.#tick());
  }

  async #tick(): Promise<void> {
    if (this.#ticking || this.#closed) return;
    this.#ticking = true;
    try {
      for (const { id } of [...this.#options.store.state.rollouts]) {
        try {
          await this.#look(id);
        } catch (error) {
          this.#complain(id, error);
        }
      }
      for (const model of [...this.#owed]) {
        try {
          await this.assign(model);
          this.#complaints.delete(model);
        } catch (error) {
          this.#complain(model, error);
        }
      }
    } finally {
      this.#ticking = false;
    }
  }

  /** The gate's look at one rollout, and what is left to do of its decisions. */
  async #look(id: string): Promise<void> {
    const rollout = this.find(id);
    if (isActive(rollout)) await this.#apply(id, { kind: 'tick', at: this.#options.now().toISOString(), siblings: this.#siblings(rollout) });
    await this.#carryOut(id);
  }

  /** Starts a rollout from the current production version, or raises the ceiling of the one that runs already. */
  promote(request: PromoteRequest): Promise<Rollout | null> {
    return this.#inTurn(request.model, () => this.#promote(request));
  }

  async #promote(request: PromoteRequest): Promise<Rollout | null> {
    const { store } = this.#options;
    const { model, version, percent, who, plan } = request;
    this.#version(model, version, 'promote');
    const from = productionOf(store.state, model);
    const audit = { who, what: 'model.promote', subject: `${model} ${version}`, before: { production: from?.version ?? null }, after: { percent } };
    if (from === null) return this.#firstVersion(model, version, percent, audit);
    const [running] = activeRollouts(store.state, model);
    if (running?.to.version === version && running.status !== 'watching') {
      await this.order(running.id, 'ceiling', who, `up to ${percent} %`, percent);
      return this.find(running.id);
    }
    if (from.version === version) throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: it is the production version`);
    if (plan.evidence === 'no-harm')
      throw new AdbreakError(
        'conflict',
        `Cannot promote ${model} ${version} by the plan ${plan.name}: a plan without proof of being no worse is for going back only`,
        {
          remedy: 'Use another plan, or `adbreak rollouts rollback`.',
        },
      );
    if (running !== undefined && running.status !== 'watching' && request.supersede !== true)
      throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: rollout ${running.id} of ${running.to.version} is ${running.status}`, {
        remedy: `Wait for it, \`adbreak rollouts abort ${running.id}\`, or promote with --supersede.`,
      });
    for (const one of activeRollouts(store.state, model)) await this.order(one.id, 'supersede', who, `${version} takes its place`);
    return this.#begin({ model, version, percent, plan, who, kind: 'rollout', group: null }, audit);
  }

  /** Two or more candidates beside the same production; each device runs one of them. */
  compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    return this.#inTurn(model, () => this.#compare(model, versions, plan, who));
  }

  async #compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    const { store } = this.#options;
    if (new Set(versions).size !== versions.length) throw new AdbreakError('input_invalid', `Cannot compare ${versions.join(' and ')}: one comes twice`);
    for (const version of versions) this.#version(model, version, 'compare');
    const from = productionOf(store.state, model);
    if (from === null || versions.includes(from.version))
      throw new AdbreakError('conflict', `Cannot compare versions of ${model}: they need a production version beside them that is none of them`);
    const [running] = activeRollouts(store.state, model);
    if (running !== undefined)
      throw new AdbreakError('conflict', `Cannot compare versions of ${model}: rollout ${running.id} is ${running.status}`, {
        remedy: `Wait for it, or \`adbreak rollouts abort ${running.id}\`.`,
      });
    const devices = Object.values(store.state.devices).filter((device) => device.model === model && !device.revoked).length;
    if (devices < versions.length * plan.minDevices)
      throw new AdbreakError(
        'conflict',
        `Cannot compare ${versions.length} versions of ${model} on ${devices} devices: each needs ${plan.minDevices} by the plan ${plan.name}`,
        {
          remedy: 'Compare fewer, use a plan with a smaller minDevices, or roll them out one after the other.',
        },
      );
    const group = `${model}-ab-${randomBytes(3).toString('hex')}`;
    const audit = { who, what: 'model.compare', subject: `${model} ${versions.join(' ')}`, after: { group } };
    const made: Rollout[] = [];
    for (const version of versions) made.push(await this.#begin({ model, version, percent: 100, plan, who, kind: 'rollout', group }, audit));
    return made.map(({ id }) => this.find(id));
  }

  /** Takes a completed rollout's version back, as a rollout of the version before it. */
  async rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
    return this.#inTurn(this.find(id).model, () => this.#rollback(id, plan, who, reason));
  }

  async #rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
    const { store } = this.#options;
    const done = this.find(id);
    const production = productionOf(store.state, done.model);
    if (isActive(done) && done.status === 'watching') {
      await this.order(id, 'abort', who, reason);
      return this.find(id);
    }
    if (done.status !== 'completed' || production?.digest !== done.to.digest)
      throw new AdbreakError('conflict', `Cannot roll ${id} back: its version ${done.to.version} is not in production`, {
        remedy: isActive(done) ? `It is ${done.status}: \`adbreak rollouts abort ${id}\`.` : 'Look at `adbreak rollouts list`.',
      });
    this.#version(done.model, done.from.version, 'roll back to');
    const [running] = activeRollouts(store.state, done.model);
    if (running !== undefined)
      throw new AdbreakError('conflict', `Cannot roll ${id} back: rollout ${running.id} is ${running.status}`, {
        remedy: `\`adbreak rollouts abort ${running.id}\` first.`,
      });
    const audit = { who, what: 'rollout.rollback', subject: `${done.model} ${done.from.version}`, before: { production: done.to.version }, after: { reason } };
    return this.#begin({ model: done.model, version: done.from.version, percent: 100, plan, who, kind: 'rollback', group: null }, audit);
  }

  /** A person's word on a rollout. Throws `conflict` where it does not fit its state; recorded in its log and the audit log. */
  async order(id: string, order: Order, who: string, reason: string, percent?: number): Promise<Rollout> {
    const event: EventOf<'order'> = { kind: 'order', at: this.#options.now().toISOString(), who, order, reason, ...(percent !== undefined && { percent }) };
    const before = this.find(id);
    if (!isActive(before)) throw new AdbreakError('conflict', `Cannot ${order} rollout ${id}: it is ${before.status}`);
    await this.#apply(id, event, {
      who,
      what: `rollout.${order}`,
      subject: id,
      before: { status: before.status, stage: before.stage },
      after: { reason, ...(percent !== undefined && { percent }) },
    });
    return this.find(id);
  }

  /** Names a device belongs to; stages may reach it by them. */
  async tag(id: string, tags: Readonly<Record<string, string>>, who: string) {
    const { store } = this.#options;
    const device = store.state.devices[id];
    if (device === undefined) throw new AdbreakError('not_found', `Cannot tag device ${id}: it is not enrolled`);
    await store.change((state) => void Object.assign(state.devices[id] ?? {}, { tags: { ...tags } }), {
      who,
      what: 'device.tag',
      subject: id,
      before: device.tags,
      after: tags,
    });
    await this.assign(device.model);
    return { id, tags };
  }

  /**
   * A window report of a device whose rollout it names: counted, and in the log, when the promise resolves.
   * @param lost windows that the device made since its last one and that never came
   */
  async take(device: string, report: WindowReport, lost = 0): Promise<void> {
    const rollout = this.#options.store.state.rollouts.find(({ id }) => id === report.rollout);
    if (rollout === undefined || !isActive(rollout)) return;
    await this.#apply(rollout.id, { kind: 'window', at: this.#options.now().toISOString(), device, report, ...(lost > 0 && { lost }) });
  }

  /** What a device says about running the candidate: a coded problem, or null when there is none. */
  async deviceSays(device: string, model: string, problem: string | null): Promise<void> {
    const rollout = activeRollouts(this.#options.store.state, model).find(({ members }) => members.includes(device));
    if (rollout === undefined || (ownValue(rollout.failing, device) ?? null) === problem) return;
    await this.#apply(rollout.id, { kind: 'device', at: this.#options.now().toISOString(), device, problem, enrolledAgain: false });
  }

  /**
   * A new card under an old name: its windows begin at one again. Kept with the enrolment until it is in every log, and done
   * before the card has its certificate: a kill in between leaves it to the next start, or to the card that asks again.
   */
  async enrolledAgain(device: string): Promise<void> {
    const { store, now } = this.#options;
    const entry = ownValue(store.state.devices, device);
    if (entry?.enrolledAnew !== true) return;
    for (const { id } of activeRollouts(store.state, entry.model).filter(({ evidence }) => Object.hasOwn(evidence.devices, device)))
      await this.#apply(id, { kind: 'device', at: now().toISOString(), device, problem: null, enrolledAgain: true });
    await store.change(() => {
      delete entry.enrolledAnew;
    });
  }

  async roundClosed(id: string, round: RoundOutcome): Promise<void> {
    const rollout = this.#options.store.state.rollouts.find((one) => one.id === id);
    if (rollout !== undefined && isActive(rollout)) await this.#apply(id, { kind: 'round', at: this.#options.now().toISOString(), round });
  }

  /**
   * Gives every device of a model its desired state where it has not got it: published is what is on disk, and what a failed
   * write or a failed message held back is published by the next call.
   */
  async assign(model: string): Promise<void> {
    this.#owed.delete(model);
    try {
      await this.#assign(model);
    } catch (error) {
      this.#owed.add(model);
      throw error;
    }
  }

  async #assign(model: string): Promise<void> {
    const { store, now } = this.#options;
    for (const { id } of activeRollouts(store.state, model)) {
      // Anew for each: while one was written, another order may have moved devices.
      const { members, acting, excepted } = memberships(store.state, model).get(id) ?? { members: [], acting: [], excepted: {} };
      const rollout = this.find(id);
      if (!isActive(rollout)) continue;
      const before = { members: rollout.members, acting: rollout.acting, excepted: rollout.excepted };
      if (isDeepStrictEqual(before, { members, acting, excepted })) continue;
      await this.#apply(id, { kind: 'assigned', at: now().toISOString(), members, acting, excepted });
    }
    const wanted = assignments(store.state, model);
    await store.change((state) => {
      for (const [id, assignment] of wanted) {
        const device = state.devices[id];
        if (device === undefined) continue;
        const next = { revision: device.desired?.revision ?? 0, ...assignment };
        if (isDeepStrictEqual(next, device.desired)) continue;
        device.desired = { ...next, revision: next.revision + 1 };
      }
    });
    await this.#publish(wanted.keys());
  }

  /** Rejects where one message failed; the others go out. */
  async #publish(devices: Iterable<string>): Promise<void> {
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

  /**
   * Before the first message after a start: events that are in a log and that the state has not seen are applied, as a
   * process that was killed would have gone on. A log that cannot be read stops the start: going on would lose it.
   */
  async catchUp(): Promise<void> {
    const { store, log, complain } = this.#options;
    const logs = new Set(await log.ids());
    for (const { id, status } of store.state.rollouts.filter(isActive))
      if (!logs.has(id)) complain(`rollout ${id}: it is ${status}, and its log is gone; what is decided from here on cannot be replayed`);
    for (const id of await this.#byStart(logs)) {
      const known = store.state.rollouts.find((one) => one.id === id);
      if (known === undefined && (await isOfFirstGate(log.path(id)))) continue;
      const length = await log.length(id);
      // Before positions were kept, state and log were written at the same time: the state is believed.
      const seen = known === undefined ? 0 : (known.seen ?? length);
      if (known !== undefined && length < seen)
        complain(`rollout ${id}: its log ends ${seen - length} bytes before what the state has seen; it cannot be replayed`);
      if (known !== undefined && length <= seen) {
        if (known.seen !== length) store.edit((all) => replace(all.rollouts, { ...known, seen: length }));
        continue;
      }
      await this.#catchUpWith(id, known, seen);
    }
    for (const device of Object.keys(store.state.devices)) await this.enrolledAgain(device);
    await store.durable();
  }

  /** Logs in the order in which their rollouts began: of two that set the production version, the later one has the last word. */
  async #byStart(ids: Iterable<string>): Promise<string[]> {
    const { store, log } = this.#options;
    const began: { readonly id: string; readonly at: number }[] = [];
    for (const id of ids) {
      const known = store.state.rollouts.find((one) => one.id === id);
      began.push({ id, at: Date.parse(known?.startedAt ?? (await log.startedAt(id)) ?? '') || 0 });
    }
    return began.sort((a, b) => a.at - b.at).map(({ id }) => id);
  }

  async #catchUpWith(id: string, known: StoredRollout | undefined, from: number): Promise<void> {
    const { store, log, complain } = this.#options;
    let state: Rollout | undefined = known;
    let events = 0;
    const effects: Effect[] = [];
    // A decision is written with its event; where the write ended between the two, it is written now.
    let unwritten: Entry | null = null;
    try {
      for await (const event of log.read(id, from)) {
        events += 1;
        if (event.kind === 'decision') unwritten = null;
        else if (event.kind === 'started') state = start(event);
        else if (state !== undefined) {
          const result: ReturnType<typeof step> = step(state, event);
          state = result.state;
          effects.push(...result.effects);
          unwritten = result.decision;
        }
      }
    } catch (cause) {
      throw new AdbreakError('state_corrupt', `Cannot take up rollout ${id}: ${explain(cause)}`, {
        cause,
        remedy: `Restore ${log.path(id)} from a backup, or move it away with hub.json restored to the time before; nothing was overwritten.`,
      });
    }
    if (state === undefined || store.state.models[state.model]?.versions[state.to.version] === undefined) {
      complain(`${log.path(id)} is the log of no rollout that this hub knows; it is left alone`);
      return;
    }
    const seen = unwritten === null ? await log.length(id) : await log.append(id, [{ kind: 'decision', entry: unwritten }]);
    const next = trimmed(state);
    const pending = [...(known?.pending ?? []), ...pendingOf(effects)];
    await store.change(
      (all) => {
        replace(all.rollouts, { ...next, seen, pending });
        for (const effect of effects) edit(all.models[next.model], effect);
      },
      { who: 'hub', what: 'rollout.recover', subject: id, after: { events, status: next.status } },
    );
    complain(`rollout ${id}: ${events} lines of its log came after the state that was kept; it goes on from there`);
  }

  /** After a start: the broker keeps retained messages in memory only, and a crash may have come before an effect. */
  async recover(): Promise<void> {
    const { store } = this.#options;
    for (const { id } of [...store.state.rollouts]) await this.#carryOut(id);
    for (const model of Object.keys(store.state.models)) await this.assign(model);
    await this.#publish(Object.keys(store.state.devices));
  }

  find(id: string): StoredRollout {
    const rollout = this.#options.store.state.rollouts.find((candidate) => candidate.id === id);
    if (rollout === undefined) throw new AdbreakError('not_found', `Cannot find rollout ${id}`, { remedy: 'See `adbreak rollouts list`.' });
    return rollout;
  }

  /** For what must find no rollout that is about to begin: one that has taken up the exceptions and is not in the state yet. */
  betweenRollouts<T>(model: string, change: () => Promise<T>): Promise<T> {
    return this.#inTurn(model, change);
  }

  /** Between the look for a running rollout and the beginning of another are writes: two requests at once would both find none. */
  #inTurn<T>(model: string, begin: () => Promise<T>): Promise<T> {
    const begun = this.#track((this.#turns.get(model) ?? Promise.resolve()).then(begin));
    // Who asked hears of a failure; the next one waits for the end of this one only.
    this.#turns.set(
      model,
      begun.catch(() => undefined),
    );
    return begun;
  }

  #version(model: string, version: string, what: string) {
    const entry = this.#options.store.state.models[model]?.versions[version];
    if (entry === undefined) throw new AdbreakError('not_found', `Cannot ${what} ${model} ${version}: it is not registered`);
    if (entry.status === 'quarantined')
      throw new AdbreakError('conflict', `Cannot ${what} ${model} ${version}: it was rolled back and is in quarantine`, {
        remedy: 'Train and register a new version.',
      });
    return entry;
  }

  async #firstVersion(model: string, version: string, percent: number, audit: AuditEntry): Promise<null> {
    if (percent < 100)
      throw new AdbreakError('conflict', `Cannot roll ${model} ${version} out to ${percent} %: there is no production version to compare it with`, {
        remedy: 'Promote the first version with rollout_percentage 100.',
      });
    await this.#options.store.change((state) => edit(state.models[model], { kind: 'set-production', version, except: {} }), audit);
    await this.assign(model);
    return null;
  }

  async #begin(request: Omit<PromoteRequest, 'supersede'> & Pick<Rollout, 'kind' | 'group'>, audit: AuditEntry): Promise<Rollout> {
    const { store, log, now } = this.#options;
    const { model, version, percent, plan, who, kind, group } = request;
    if (this.#closed) throw new AdbreakError('hub_unreachable', `Cannot begin a rollout of ${model} ${version}: the hub is being stopped`);
    const { manifest } = this.#version(model, version, 'promote');
    const from = productionOf(store.state, model);
    if (from === null) throw new AdbreakError('conflict', `Cannot begin a rollout of ${model} ${version}: there is no production version`);
    const at = now().toISOString();
    const event: EventOf<'started'> = {
      kind: 'started',
      at,
      who,
      gate: 2,
      ceiling: percent,
      rollout: { id: `${model}-${version}-${randomBytes(3).toString('hex')}`, model, kind, group, from, to: { version, digest: manifest.digest }, plan },
      baseline: structuredClone(store.state.hours[from.digest]?.labels ?? null),
      exceptions: { ...store.state.models[model]?.exceptions },
      reference: referenceWeeks(store.state.hours[from.digest], now().getTime()),
    };
    const seen = await log.append(event.rollout.id, [event]);
    await store.change((state) => {
      // What all but the last ended rollout gathered is in its event log; the hub's own state stays small.
      for (const ended of state.rollouts.filter((one) => one.model === model && !isActive(one)).slice(0, -1))
        Object.assign(ended, { evidence: noEvidence(0), windowsBefore: {}, placed: {} });
      state.rollouts.push({ ...start(event), seen, pending: [] });
    }, audit);
    await this.assign(model);
    return this.find(event.rollout.id);
  }

  /** What the other candidates of a group have, for the gate to count them in. */
  #siblings({ id, group, plan }: Rollout): Sibling[] {
    if (group === null) return [];
    return this.#options.store.state.rollouts
      .filter((other) => other.group === group && other.id !== id)
      .map((other) => {
        const weighed = weigh(standingOf(other), plan);
        const passed = other.last?.cause === 'siblings' || other.last?.cause === 'outdone' || other.stage > 0;
        return {
          id: other.id,
          // JSON has no infinity: the log must hold what the gate saw.
          log: Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, promotionLog(weighed, other.stage === plan.stages.length - 1))),
          status: !isActive(other) || other.last?.verdict === 'INCONCLUSIVE' ? 'ended' : passed ? 'passed' : 'open',
          difference: weighed.difference,
        };
      });
  }

  /** One event through the state machine, in its turn: into the log, into memory and to disk, then its effects. */
  async #apply(id: string, event: Moving, audit?: AuditEntry): Promise<void> {
    if (this.#closed) throw new AdbreakError('hub_unreachable', `Cannot go on with rollout ${id}: the hub is being stopped`);
    await new Promise<void>((done, fail) => {
      const waiting: Waiting = { event, audit, done, fail };
      const queue = this.#queues.get(id);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const own = [waiting];
      this.#queues.set(id, own);
      void this.#track(this.#drain(id, own));
    });
    if (!isSummed(event)) await this.#track(this.#carryOut(id));
  }

  /** Never rejects: each event's caller hears of its own failure. */
  async #drain(id: string, queue: Waiting[]): Promise<void> {
    for (let [first] = queue; first !== undefined; [first] = queue) {
      const reports = queue.findIndex(({ event }) => event.kind !== 'window');
      const batch = queue.splice(0, Math.max(1, Math.min(MOST_AT_ONCE, reports < 0 ? queue.length : reports)));
      try {
        const stored = isSummed(first.event) ? await this.#addUp(id, batch) : await this.#decide(id, first);
        for (const { done } of batch) done(stored?.written);
      } catch (error) {
        for (const { fail } of batch) fail(error);
      }
    }
    this.#queues.delete(id);
  }

  /** Reports and what devices say decide nothing, and are added up in place: only once the log has them. */
  async #addUp(id: string, batch: readonly Waiting[]): Promise<undefined> {
    const { store, log } = this.#options;
    const before = this.find(id);
    if (!isActive(before)) return;
    const events = batch.map(({ event }) => event).filter((event) => !isCounted(before, event));
    if (events.length === 0) return;
    const seen = await log.append(id, events);
    store.edit((all) => {
      let state: Rollout = this.find(id);
      for (const event of events) state = step(state, event).state;
      replace(all.rollouts, { ...state, seen, pending: this.find(id).pending });
    });
  }

  async #decide(id: string, { event, audit }: Waiting): Promise<{ readonly written: Promise<void> } | undefined> {
    const { store, log, onDecision } = this.#options;
    const before = this.find(id);
    if (!isActive(before)) {
      if (event.kind !== 'order') return;
      throw new AdbreakError('conflict', `Cannot ${event.order} rollout ${id}: it is ${before.status}`);
    }
    // A look that changed nothing is not worth a line: replaying without it gives the same.
    const { state, effects, decision, verdict, quiet } = step(before, event);
    if (quiet) {
      if (state.last?.reason !== before.last?.reason) store.edit((all) => replace(all.rollouts, { ...state, seen: before.seen, pending: before.pending }));
      return;
    }
    const seen = await log.append(id, [event, ...(decision === null ? [] : [{ kind: 'decision', entry: decision } as const])]);
    const written = store.change(
      (all) => {
        replace(all.rollouts, { ...trimmed(state), seen, pending: [...this.find(id).pending, ...pendingOf(effects)] });
        for (const effect of effects) edit(all.models[state.model], effect);
      },
      audit ??
        (effects.length === 0 || decision === null
          ? undefined
          : {
              who: `gate:${id}`,
              what: `rollout.${decision.action}`,
              subject: `${state.model} ${state.to.version}`,
              after: { verdict: decision.verdict, reason: decision.reason },
            }),
    );
    if (decision !== null) onDecision(state, verdict);
    return { written };
  }

  /** What decisions left to do, one after the other; what fails stays for the next look. */
  async #carryOut(id: string): Promise<void> {
    // Whoever is at it takes what comes meanwhile along.
    if (this.#carrying.has(id)) return;
    this.#carrying.add(id);
    const failed = new Set<Pending>();
    try {
      for (;;) {
        const next = this.find(id).pending.find((kind) => !failed.has(kind));
        if (next === undefined) break;
        try {
          await this.#carryOutOne(this.find(id), next);
          this.#options.store.edit((all) => {
            const { pending, ...rollout } = this.find(id);
            replace(all.rollouts, { ...rollout, pending: pending.toSpliced(pending.indexOf(next), pending.includes(next) ? 1 : 0) });
          });
        } catch (error) {
          failed.add(next);
          this.#complain(id, error);
        }
      }
      if (failed.size === 0) this.#complaints.delete(id);
    } finally {
      this.#carrying.delete(id);
    }
  }

  async #carryOutOne(rollout: Rollout, kind: Pending): Promise<void> {
    switch (kind) {
      case 'supersede-siblings':
        for (const other of this.#options.store.state.rollouts.filter((one) => one.group === rollout.group && one.id !== rollout.id && isActive(one)))
          await this.order(other.id, 'supersede', `gate:${rollout.id}`, `${rollout.to.version} passed and goes on`);
        return;
      case 'assign':
        return this.assign(rollout.model);
      case 'start-round':
        // The gate may have gone on since: then nobody waits for the round.
        if (isActive(rollout) && rollout.last?.cause === 'round') await this.#options.startRound(rollout);
    }
  }

  /** @param subject a rollout, or a model whose devices could not be assigned */
  #complain(subject: string, error: unknown): void {
    const line = `${this.#owed.has(subject) ? 'model' : 'rollout'} ${subject}: ${explain(error)}`;
    if (this.#complaints.get(subject) === line) return;
    this.#complaints.set(subject, line);
    this.#options.complain(line);
  }
}

/** Events that are added up in place and decide nothing. */
function isSummed(event: Moving): boolean {
  return event.kind === 'window' || event.kind === 'device';
}

/** A report that the sums hold, and so the log; QoS 1 may deliver twice. */
function isCounted({ evidence }: Rollout, event: Moving): boolean {
  return event.kind === 'window' && event.report.sequence <= (ownValue(evidence.devices, event.device)?.sequence ?? 0);
}

/** An ended rollout needs no reference and no open hours any more. */
function trimmed(state: Rollout): Rollout {
  if (isActive(state)) return state;
  return { ...state, evidence: { ...state.evidence, open: {}, waiting: {} }, drift: { ...state.drift, reference: null, open: {}, usual: [] } };
}

function replace(rollouts: StoredRollout[], rollout: StoredRollout): void {
  const at = rollouts.findIndex(({ id }) => id === rollout.id);
  rollouts.splice(at < 0 ? rollouts.length : at, at < 0 ? 0 : 1, rollout);
}

/** The part of effects that is outside the hub's memory. */
function pendingOf(effects: readonly Effect[]): Pending[] {
  return effects.map(pendingOfOne).filter((kind) => kind !== null);
}
function pendingOfOne({ kind }: Effect): Pending | null {
  switch (kind) {
    case 'assign':
      return 'assign';
    case 'start-round':
    case 'supersede-siblings':
      return kind;
    case 'set-production':
    case 'quarantine':
      return null;
  }
}

/** The part of an effect that is the hub's own memory; it becomes durable together with the rollout's new state. */
function edit(model: Model | undefined, effect: Effect): void {
  if (model === undefined) return;
  switch (effect.kind) {
    case 'assign':
    case 'start-round':
    case 'supersede-siblings':
      return;
    case 'set-production': {
      model.production = effect.version;
      model.exceptions = { ...effect.except };
      delete model.lifted;
      const version = model.versions[effect.version];
      if (version !== undefined) version.wasProduction = true;
      return;
    }
    case 'quarantine': {
      const version = model.versions[effect.version];
      if (version !== undefined) version.status = 'quarantined';
    }
  }
}
