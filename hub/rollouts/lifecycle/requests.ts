import { randomBytes } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { SerialRunners } from '@adbreak/shared/serial-runner.js';
import { productionOf } from '../../fleet/desired.js';
import { referenceHours, referenceWeeks } from '../../monitoring/reference.js';
import { changeModel } from '../../store/effects.js';
import type { AuditEntry, Store } from '../../store/store.js';
import type { EventOf, Order } from '../events.js';
import { noEvidence } from '../evidence.js';
import type { Plan } from '../plan.js';
import { isActive, type Rollout } from '../rollout.js';
import { start } from '../step.js';
import type { Assignment } from './assignment.js';
import type { Decisions } from './decisions.js';
import { activeRollouts } from './memberships.js';
import type { Outbox } from './outbox.js';

interface Options {
  readonly store: Store;
  readonly decisions: Decisions;
  readonly assignment: Assignment;
  readonly outbox: Outbox;
  readonly now: () => Date;
}
export interface PromoteRequest {
  readonly model: string;
  readonly version: string;
  readonly percent: number;
  readonly plan: Plan;
  readonly who: string;
  /** Ends a rollout of another version that is running. */
  readonly supersede?: boolean;
}

/** What people ask for. Each request is looked at first: what does not fit is refused with a sentence, and changes nothing. */
export class Requests {
  readonly #options: Options;
  /** By model, requests that look whether a rollout may begin, and begin it. */
  readonly #turns = new SerialRunners();

  constructor(options: Options) {
    this.#options = options;
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
    const audit = {
      who,
      what: 'model.promote',
      subject: `${model} ${version}`,
      before: { production: from?.version ?? null },
      after: { percent },
    };
    if (from === null) return this.#firstVersion(model, version, percent, audit);
    const [running] = activeRollouts(store.state, model);
    if (running?.to.version === version && running.status !== 'watching') {
      await this.order(running.id, 'ceiling', who, `up to ${percent} %`, percent);
      return this.#options.decisions.find(running.id);
    }
    if (from.version === version)
      throw new AdbreakError('conflict', `Cannot promote ${model} ${version}: it is the production version`);
    if (plan.evidence === 'no-harm')
      throw new AdbreakError(
        'conflict',
        `Cannot promote ${model} ${version} by the plan ${plan.name}: a plan without proof of being no worse is for going back only`,
        {
          remedy: 'Use another plan, or `adbreak rollouts rollback`.',
        },
      );
    if (running !== undefined && running.status !== 'watching' && request.supersede !== true)
      throw new AdbreakError(
        'conflict',
        `Cannot promote ${model} ${version}: rollout ${running.id} of ${running.to.version} is ${running.status}`,
        {
          remedy: `Wait for it, \`adbreak rollouts abort ${running.id}\`, or promote with --supersede.`,
        },
      );
    for (const one of activeRollouts(store.state, model))
      await this.order(one.id, 'supersede', who, `${version} takes its place`);
    return this.#begin({ model, version, percent, plan, who, kind: 'rollout', group: null }, audit);
  }

  /** Two or more candidates beside the same production; each device runs one of them. */
  compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    return this.#inTurn(model, () => this.#compare(model, versions, plan, who));
  }

  async #compare(model: string, versions: readonly string[], plan: Plan, who: string): Promise<Rollout[]> {
    const { store } = this.#options;
    if (new Set(versions).size !== versions.length)
      throw new AdbreakError('input_invalid', `Cannot compare ${versions.join(' and ')}: one comes twice`);
    for (const version of versions) this.#version(model, version, 'compare');
    const from = productionOf(store.state, model);
    if (from === null || versions.includes(from.version))
      throw new AdbreakError(
        'conflict',
        `Cannot compare versions of ${model}: they need a production version beside them that is none of them`,
      );
    const [running] = activeRollouts(store.state, model);
    if (running !== undefined)
      throw new AdbreakError(
        'conflict',
        `Cannot compare versions of ${model}: rollout ${running.id} is ${running.status}`,
        {
          remedy: `Wait for it, or \`adbreak rollouts abort ${running.id}\`.`,
        },
      );
    const devices = Object.values(store.state.devices).filter(
      (device) => device.model === model && !device.revoked,
    ).length;
    if (devices < versions.length * plan.minDevices)
      throw new AdbreakError(
        'conflict',
        `Cannot compare ${versions.length} versions of ${model} on ${devices} devices: each needs ${plan.minDevices} by the plan ${plan.name}`,
        {
          remedy:
            'Compare fewer, use a plan with a smaller minDevices, or roll them out one after the other.',
        },
      );
    const group = `${model}-ab-${randomBytes(3).toString('hex')}`;
    const audit = { who, what: 'model.compare', subject: `${model} ${versions.join(' ')}`, after: { group } };
    const made: Rollout[] = [];
    for (const version of versions)
      made.push(
        await this.#begin({ model, version, percent: 100, plan, who, kind: 'rollout', group }, audit),
      );
    return made.map(({ id }) => this.#options.decisions.find(id));
  }

  /** Takes a completed rollout's version back, as a rollout of the version before it. */
  async rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
    return this.#inTurn(this.#options.decisions.find(id).model, () => this.#rollback(id, plan, who, reason));
  }

  async #rollback(id: string, plan: Plan, who: string, reason: string): Promise<Rollout> {
    const { store } = this.#options;
    const done = this.#options.decisions.find(id);
    const production = productionOf(store.state, done.model);
    if (isActive(done) && done.status === 'watching') {
      await this.order(id, 'abort', who, reason);
      return this.#options.decisions.find(id);
    }
    if (done.status !== 'completed' || production?.digest !== done.to.digest)
      throw new AdbreakError(
        'conflict',
        `Cannot roll ${id} back: its version ${done.to.version} is not in production`,
        {
          remedy: isActive(done)
            ? `It is ${done.status}: \`adbreak rollouts abort ${id}\`.`
            : 'Look at `adbreak rollouts list`.',
        },
      );
    this.#version(done.model, done.from.version, 'roll back to');
    const [running] = activeRollouts(store.state, done.model);
    if (running !== undefined)
      throw new AdbreakError(
        'conflict',
        `Cannot roll ${id} back: rollout ${running.id} is ${running.status}`,
        {
          remedy: `\`adbreak rollouts abort ${running.id}\` first.`,
        },
      );
    const audit = {
      who,
      what: 'rollout.rollback',
      subject: `${done.model} ${done.from.version}`,
      before: { production: done.to.version },
      after: { reason },
    };
    return this.#begin(
      {
        model: done.model,
        version: done.from.version,
        percent: 100,
        plan,
        who,
        kind: 'rollback',
        group: null,
      },
      audit,
    );
  }

  /** A person's word on a rollout. Throws `conflict` where it does not fit its state; recorded in its log and the audit log. */
  async order(id: string, order: Order, who: string, reason: string, percent?: number): Promise<Rollout> {
    const event: EventOf<'order'> = {
      kind: 'order',
      at: this.#options.now().toISOString(),
      who,
      order,
      reason,
      ...(percent !== undefined && { percent }),
    };
    const before = this.#options.decisions.find(id);
    if (!isActive(before))
      throw new AdbreakError('conflict', `Cannot ${order} rollout ${id}: it is ${before.status}`);
    await this.#decide(id, event, {
      who,
      what: `rollout.${order}`,
      subject: id,
      before: { status: before.status, stage: before.stage },
      after: { reason, ...(percent !== undefined && { percent }) },
    });
    return this.#options.decisions.find(id);
  }

  /** For what must find no rollout that is about to begin: one that has taken up the exceptions and is not in the state yet. */
  between<T>(model: string, change: () => Promise<T>): Promise<T> {
    return this.#inTurn(model, change);
  }

  /** Between the look for a running rollout and the beginning of another are writes: two requests at once would both find none. */
  #inTurn<T>(model: string, begin: () => Promise<T>): Promise<T> {
    return this.#turns.run(model, begin);
  }

  #version(model: string, version: string, what: string) {
    const entry = this.#options.store.state.models[model]?.versions[version];
    if (entry === undefined)
      throw new AdbreakError('not_found', `Cannot ${what} ${model} ${version}: it is not registered`);
    if (entry.archived === true)
      throw new AdbreakError('conflict', `Cannot ${what} ${model} ${version}: it is archived`, {
        remedy: `Take it out of the archive: \`adbreak models archive ${model} ${version} --back\`.`,
      });
    if (entry.status === 'quarantined')
      throw new AdbreakError(
        'conflict',
        `Cannot ${what} ${model} ${version}: it was rolled back and is in quarantine`,
        {
          remedy: 'Train and register a new version.',
        },
      );
    return entry;
  }

  async #firstVersion(model: string, version: string, percent: number, audit: AuditEntry): Promise<null> {
    if (percent < 100)
      throw new AdbreakError(
        'conflict',
        `Cannot roll ${model} ${version} out to ${percent} %: there is no production version to compare it with`,
        {
          remedy: 'Promote the first version with rollout_percentage 100.',
        },
      );
    await this.#options.store.change(
      (state) => changeModel(state.models[model], { kind: 'set-production', version, except: {} }),
      audit,
    );
    await this.#options.assignment.assign(model);
    return null;
  }

  async #begin(
    request: Omit<PromoteRequest, 'supersede'> & Pick<Rollout, 'kind' | 'group'>,
    audit: AuditEntry,
  ): Promise<Rollout> {
    const { store, now } = this.#options;
    const { model, version, percent, plan, who, kind, group } = request;
    const began = now();
    const past = await this.#past(productionOf(store.state, model)?.digest ?? '', began);
    // From here to the change nothing waits: what is looked at is what the rollout begins with.
    const { manifest } = this.#version(model, version, 'promote');
    const from = productionOf(store.state, model);
    if (from === null || from.digest !== past.digest)
      throw new AdbreakError(
        'conflict',
        `Cannot begin a rollout of ${model} ${version}: ${from === null ? 'there is no production version' : `production became ${from.version} meanwhile`}`,
      );
    const at = began.toISOString();
    const event: EventOf<'started'> = {
      kind: 'started',
      at,
      who,
      gate: 2,
      ceiling: percent,
      rollout: {
        id: `${model}-${version}-${randomBytes(3).toString('hex')}`,
        model,
        kind,
        group,
        from,
        to: { version, digest: manifest.digest },
        plan,
      },
      baseline: past.baseline,
      exceptions: { ...store.state.models[model]?.exceptions },
      reference: past.reference,
    };
    await store.change((state, writing) => {
      // One whose caller was let go without an answer may have begun since this was looked at.
      const { group } = event.rollout;
      const other = state.rollouts.find(
        (one) => one.model === model && isActive(one) && (group === null || one.group !== group),
      );
      if (other !== undefined)
        throw new AdbreakError(
          'conflict',
          `Cannot start a rollout of ${model}: ${other.id} has begun meanwhile`,
        );
      const seen = writing.event(event.rollout.id, event);
      // What all but the last ended rollout gathered is in its event log; the hub's own state stays small.
      const old = new Set(state.rollouts.filter((one) => one.model === model && !isActive(one)).slice(0, -1));
      const kept = state.rollouts.map((one) =>
        old.has(one) ? { ...one, evidence: noEvidence(0), windowsBefore: {}, placed: {} } : one,
      );
      state.rollouts = [...kept, { ...start(event), seen }];
    }, audit);
    await this.#options.assignment.assign(model);
    return this.#options.decisions.find(event.rollout.id);
  }

  /** What production has shown so far: all its labels, and the weeks that WORLD is measured against. */
  async #past(digest: string, now: Date) {
    const { rollups } = this.#options.store;
    const hours = await rollups.means(digest, ...referenceHours(now.getTime()));
    return {
      digest,
      baseline: await rollups.labels(digest),
      reference: referenceWeeks(hours, now.getTime()),
    };
  }

  async #decide(id: string, event: EventOf<'order'>, audit: AuditEntry): Promise<void> {
    await this.#options.decisions.decide(id, event, audit);
    await this.#options.outbox.carryOut(id);
  }
}
