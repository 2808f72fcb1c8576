import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Desired } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { activeRollout, assignments, productionOf } from '../fleet/desired.js';
import type { Model } from '../store/state.js';
import type { Store } from '../store/store.js';
import type { Verdict } from './gate.js';
import type { Plan } from './plan.js';
import { type Effect, type Rollout, step } from './rollout.js';

export interface ExecutorOptions {
  readonly store: Store;
  readonly now: () => Date;
  readonly publishDesired: (desired: Desired, device: string) => Promise<void>;
  readonly onVerdict: (rollout: Rollout, verdict: Verdict) => void;
}

/** Carries out what the gate decides: state first, effects after it, each of them idempotent. */
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
      for (const { id } of this.#options.store.state.rollouts) await this.#look(id);
    } finally {
      this.#ticking = false;
    }
  }

  /** Starts a rollout from the current production version, or raises the ceiling of the one that runs already. */
  async promote(request: { model: string; version: string; percent: number; plan: Plan; who: string }): Promise<Rollout | null> {
    const { store, now } = this.#options;
    const { model, version, percent, who } = request;
    const entry = store.state.models[model]?.versions[version];
    if (entry === undefined) throw new AdbreakError('not_found', `Cannot promote ${model} ${version}: it is not registered`);
    if (entry.status === 'quarantined')
      throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: it was rolled back and is in quarantine`, {
        remedy: 'Train and register a new version.',
      });
    const from = productionOf(store.state, model);
    const audit = { who, what: 'model.promote', subject: `${model} ${version}`, before: { production: from?.version ?? null }, after: { percent } };
    if (from === null) {
      if (percent < 100)
        throw new AdbreakError('conflict', `Cannot roll ${model} ${version} out to ${percent} %: there is no production version to compare it with`, {
          remedy: 'Promote the first version with rollout_percentage 100.',
        });
      await store.change((state) => {
        const target = state.models[model];
        if (target !== undefined) target.production = version;
      }, audit);
      await this.assign(model);
      return null;
    }
    if (from.version === version) throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: it is the production version`);
    const running = activeRollout(store.state, model);
    if (running !== undefined && running.to.version !== version)
      throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: rollout ${running.id} of ${running.to.version} is running`, {
        remedy: `Wait for it, or \`adbreak rollouts abort ${running.id}\`.`,
      });
    if (running !== undefined) {
      await store.change(() => {
        running.ceiling = Math.max(running.ceiling, percent);
      }, audit);
      return running;
    }
    const rollout: Rollout = {
      id: `${model}-${version}-${randomBytes(3).toString('hex')}`,
      model,
      from,
      to: { version, digest: entry.manifest.digest },
      plan: request.plan,
      ceiling: percent,
      stage: 0,
      status: 'running',
      stageSince: now().toISOString(),
      episodesBefore: 0,
      evidence: {},
      history: [],
      last: null,
    };
    await store.change((state) => void state.rollouts.push(rollout), audit);
    await this.assign(model);
    return rollout;
  }

  async abort(id: string, who: string): Promise<Rollout> {
    const rollout = this.#find(id);
    if (rollout.status !== 'running' && rollout.status !== 'suspended')
      throw new AdbreakError('conflict', `Cannot abort rollout ${id}: it is ${rollout.status}`);
    await this.#options.store.change(
      () => {
        rollout.status = 'aborted';
      },
      { who, what: 'rollout.abort', subject: id },
    );
    await this.assign(rollout.model);
    return rollout;
  }

  /** Gives every device of a model its desired state where that has changed. */
  async assign(model: string): Promise<void> {
    const { store, publishDesired } = this.#options;
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

  #find(id: string): Rollout {
    const rollout = this.#options.store.state.rollouts.find((candidate) => candidate.id === id);
    if (rollout === undefined) throw new AdbreakError('not_found', `Cannot find rollout ${id}`);
    return rollout;
  }

  async #look(id: string): Promise<void> {
    const { store, now, onVerdict } = this.#options;
    const before = this.#find(id);
    const { state, effects, verdict } = step(before, now());
    if (verdict === null) return;
    if (state.last?.reason !== before.last?.reason || effects.length > 0) {
      await store.change(
        (all) => {
          all.rollouts = all.rollouts.map((rollout) => (rollout.id === id ? { ...state, evidence: rollout.evidence } : rollout));
          for (const effect of effects) edit(all.models[state.model], effect);
        },
        effects.length === 0
          ? undefined
          : {
              who: `gate:${id}`,
              what: `rollout.${state.last?.action ?? ''}`,
              subject: `${state.model} ${state.to.version}`,
              after: { verdict: verdict.verdict, reason: verdict.reason },
            },
      );
      onVerdict(state, verdict);
    }
    if (effects.some(({ kind }) => kind === 'assign')) await this.assign(state.model);
  }
}

/** The part of an effect that is the hub's own memory; it becomes durable together with the rollout's new state. */
function edit(model: Model | undefined, effect: Effect): void {
  switch (effect.kind) {
    case 'assign':
      return;
    case 'set-production':
      if (model !== undefined) model.production = effect.version;
      return;
    case 'quarantine': {
      const version = model?.versions[effect.version];
      if (version !== undefined) version.status = 'quarantined';
    }
  }
}
