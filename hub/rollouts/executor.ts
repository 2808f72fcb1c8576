import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Desired, WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { assignments, productionOf } from '../fleet/desired.js';
import { referenceWeeks } from '../monitoring/hours.js';
import type { Model } from '../store/state.js';
import type { AuditEntry, Store } from '../store/store.js';
import type { EventOf, Order, RolloutEvent } from './events.js';
import { noEvidence } from './evidence.js';
import { promotionLog, type Sibling, type Verdict, weigh } from './gate.js';
import type { RolloutLog } from './log.js';
import { activeRollouts, memberships } from './memberships.js';
import type { Plan } from './plan.js';
import { isActive, type Rollout, type RoundOutcome } from './rollout.js';
import { standingOf } from './standing.js';
import { type Effect, start, step } from './step.js';

export interface ExecutorOptions {
  readonly store: Store;
  readonly log: RolloutLog;
  readonly now: () => Date;
  readonly publishDesired: (desired: Desired, device: string) => Promise<void>;
  readonly onDecision: (rollout: Rollout, verdict: Verdict | null) => void;
  /** A gate waits for a federated round. */
  readonly startRound: (rollout: Rollout) => Promise<void>;
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

/** Carries out what the gate and people decide: the event into the log, the new state to disk, effects after it, each of them idempotent. */
export class Executor {
  readonly #options: ExecutorOptions;
  #ticking = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** One look at every running rollout. */
  async tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      const at = this.#options.now().toISOString();
      for (const rollout of this.#options.store.state.rollouts.filter(isActive))
        await this.#apply(rollout.id, { kind: 'tick', at, siblings: this.#siblings(rollout) });
    } finally {
      this.#ticking = false;
    }
  }

  /** Starts a rollout from the current production version, or raises the ceiling of the one that runs already. */
  async promote(request: PromoteRequest): Promise<Rollout | null> {
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
  async compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    const { store } = this.#options;
    const devices = Object.values(store.state.devices).filter((device) => device.model === model && !device.revoked).length;
    if (devices < versions.length * plan.minDevices)
      throw new AdbreakError('conflict', `Cannot compare ${versions.length} versions of ${model} on ${devices} devices: each needs ${plan.minDevices} by the plan ${plan.name}`, {
        remedy: 'Compare fewer, use a plan with a smaller minDevices, or roll them out one after the other.',
      });
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
    const group = `${model}-ab-${randomBytes(3).toString('hex')}`;
    const audit = { who, what: 'model.compare', subject: `${model} ${versions.join(' ')}`, after: { group } };
    const made: Rollout[] = [];
    for (const version of versions) made.push(await this.#begin({ model, version, percent: 100, plan, who, kind: 'rollout', group }, audit));
    return made.map(({ id }) => this.find(id));
  }

  /** Takes a completed rollout's version back, as a rollout of the version before it. */
  async rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
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
    await store.change(() => void Object.assign(device, { tags: { ...tags } }), { who, what: 'device.tag', subject: id, before: device.tags, after: tags });
    await this.assign(device.model);
    return { id, tags };
  }

  /** A window report of a device whose rollout it names. */
  async take(device: string, report: WindowReport): Promise<void> {
    const rollout = this.#options.store.state.rollouts.find(({ id }) => id === report.rollout);
    if (rollout === undefined || !isActive(rollout)) return;
    await this.#apply(rollout.id, { kind: 'window', at: this.#options.now().toISOString(), device, report });
  }

  /** What a device says about running the candidate: a coded problem, or null when there is none. */
  async deviceSays(device: string, model: string, problem: string | null): Promise<void> {
    const rollout = activeRollouts(this.#options.store.state, model).find(({ members }) => members.includes(device));
    if (rollout === undefined || (rollout.failing[device] ?? null) === problem) return;
    await this.#apply(rollout.id, { kind: 'device', at: this.#options.now().toISOString(), device, problem, enrolledAgain: false });
  }

  /** A new card under an old name: its windows begin at one again. */
  async enrolledAgain(device: string, model: string): Promise<void> {
    for (const { id } of activeRollouts(this.#options.store.state, model).filter(({ evidence }) => evidence.devices[device] !== undefined))
      await this.#apply(id, { kind: 'device', at: this.#options.now().toISOString(), device, problem: null, enrolledAgain: true });
  }

  async roundClosed(id: string, round: RoundOutcome): Promise<void> {
    const rollout = this.#options.store.state.rollouts.find((one) => one.id === id);
    if (rollout !== undefined && isActive(rollout)) await this.#apply(id, { kind: 'round', at: this.#options.now().toISOString(), round });
  }

  /** Gives every device of a model its desired state where that has changed. */
  async assign(model: string): Promise<void> {
    const { store, publishDesired, now } = this.#options;
    for (const [id, { members, acting, excepted }] of memberships(store.state, model)) {
      const rollout = this.find(id);
      const before = { members: rollout.members, acting: rollout.acting, excepted: rollout.excepted };
      if (isDeepStrictEqual(before, { members, acting, excepted })) continue;
      await this.#apply(id, { kind: 'assigned', at: now().toISOString(), members, acting, excepted });
    }
    const wanted = assignments(store.state, model);
    const changed: [Desired, string][] = [];
    await store.change((state) => {
      for (const [id, assignment] of wanted) {
        const device = state.devices[id];
        if (device === undefined) continue;
        const next = { revision: device.desired?.revision ?? 0, ...assignment };
        if (isDeepStrictEqual(next, device.desired)) continue;
        device.desired = { ...next, revision: next.revision + 1 };
        changed.push([device.desired, id]);
      }
    });
    await Promise.all(changed.map(([desired, id]) => publishDesired(desired, id)));
  }

  /** After a start: the broker keeps retained messages in memory only, and a crash may have come before an effect. */
  async recover(): Promise<void> {
    const { store, publishDesired } = this.#options;
    for (const model of Object.keys(store.state.models)) await this.assign(model);
    await Promise.all(Object.values(store.state.devices).map((device) => (device.desired === null ? undefined : publishDesired(device.desired, device.id))));
  }

  find(id: string): Rollout {
    const rollout = this.#options.store.state.rollouts.find((candidate) => candidate.id === id);
    if (rollout === undefined) throw new AdbreakError('not_found', `Cannot find rollout ${id}`, { remedy: 'See `adbreak rollouts list`.' });
    return rollout;
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
    await log.append(event.rollout.id, [event]);
    await store.change((state) => {
      // What all but the last ended rollout gathered is in its event log; the hub's own state stays small.
      for (const ended of state.rollouts.filter((one) => one.model === model && !isActive(one)).slice(0, -1))
        Object.assign(ended, { evidence: noEvidence(0), windowsBefore: {}, placed: {} });
      state.rollouts.push(start(event));
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
          log: promotionLog(weighed, other.stage === plan.stages.length - 1),
          status: !isActive(other) || other.last?.verdict === 'INCONCLUSIVE' ? 'ended' : passed ? 'passed' : 'open',
          difference: weighed.difference,
        };
      });
  }

  /** One event through the state machine: into the log and to disk, then its effects. */
  async #apply(id: string, event: Exclude<RolloutEvent, { kind: 'started' }>, audit?: AuditEntry): Promise<void> {
    const { store, log, onDecision } = this.#options;
    const before = this.find(id);
    // A look that changed nothing is not worth a line: replaying without it gives the same.
    const { state, effects, decision, verdict, quiet } = step(before, event);
    const kept: Rollout = !isActive(state) ? { ...state, drift: { ...state.drift, reference: null, open: {} } } : state;
    const logged = quiet ? undefined : log.append(id, [event, ...(decision === null ? [] : [{ kind: 'decision', entry: decision } as const])]);
    const stored =
      quiet && state.last?.reason === before.last?.reason
        ? undefined
        : store.change(
            (all) => {
              all.rollouts = all.rollouts.map((one) => (one.id === id ? kept : one));
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
    await Promise.all([logged, stored]);
    if (decision !== null) onDecision(state, verdict);
    await this.#carryOut(state, effects);
  }

  async #carryOut(state: Rollout, effects: readonly Effect[]): Promise<void> {
    if (effects.some(({ kind }) => kind === 'supersede-siblings'))
      for (const other of this.#options.store.state.rollouts.filter((one) => one.group === state.group && one.id !== state.id && isActive(one)))
        await this.order(other.id, 'supersede', `gate:${state.id}`, `${state.to.version} passed and goes on`);
    if (effects.some(({ kind }) => kind === 'assign')) await this.assign(state.model);
    if (effects.some(({ kind }) => kind === 'start-round')) await this.#options.startRound(state);
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
