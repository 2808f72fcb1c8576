import { randomBytes } from 'node:crypto';
import type { SecureView } from '@adbreak/shared/aggregation/messages.js';
import { SecureSum } from '@adbreak/shared/aggregation/server.js';
import type { ModelRef } from '@adbreak/shared/contract/messages.js';
import { type RoundReport, roundContradiction, SECURE_FIELDS } from '@adbreak/shared/contract/rounds.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { productionOf } from '../fleet/desired.js';
import { isTakenOut, takenOut } from '../rollouts/apart.js';
import { type Member, reaches } from '../rollouts/cohort.js';
import type { Where } from '../rollouts/plan.js';
import type { Rollout, RoundOutcome } from '../rollouts/rollout.js';
import type { Store } from '../store/store.js';
import { type Round, resultOf, sumContradiction } from './round.js';

interface EvaluationsOptions {
  readonly store: Store;
  readonly now: () => Date;
  /** Devices hear of rounds through their desired state: all of a model, or those alone for whom something has changed. */
  readonly assign: (model: string, only?: readonly string[]) => Promise<void>;
  readonly onClosed: (rollout: string, outcome: RoundOutcome) => Promise<void>;
  readonly log: Log;
}
export interface RoundOrder {
  readonly model: string;
  readonly candidate: string;
  /** The production version where none is named. */
  readonly against?: string | undefined;
  readonly where?: Where | undefined;
  /** Devices that are not asked. */
  readonly without?: readonly string[];
  readonly quorum: number;
  readonly hours: number;
  readonly minDevices: number;
  readonly secure: boolean;
  readonly epsilon: number | null;
  readonly who: string;
  readonly rollout: string | null;
}

/** Shares of a secret have one byte for a device's number. */
const MOST_SECURE = 255;
/** A phase of a secure round waits so long for its slowest device. */
const PHASE_MS = 60_000;
/** The first one: before it a device looks at all its labelled episodes with both models, which takes a Pi minutes. */
const FIRST_PHASE_MS = 15 * 60_000;
const KEPT_ROUNDS = 200;
/** What rounds found of a version stays with it, the last so many. */
const KEPT_OF_A_VERSION = 50;
/** A gate's round shows no cell with fewer devices behind it, or its quorum where that is smaller. */
const LEAST_SHOWN = 10;

/** The round of a rollout that is open, or whose end the rollout has not heard of. */
function unheard(rounds: readonly Round[], rollout: string): Round | undefined {
  return rounds.find((round) => round.rollout === rollout && (round.status === 'open' || !round.told));
}

/** Federated rounds: who is asked, what comes back, when it closes. History stays with the hub. */
export class Evaluations {
  readonly #options: EvaluationsOptions;
  readonly #secure = new Map<string, { readonly sum: SecureSum; since: number }>();

  constructor(options: EvaluationsOptions) {
    this.#options = options;
  }

  async start(order: RoundOrder): Promise<Round> {
    const { store, now, assign } = this.#options;
    const candidate = this.#version(order.model, order.candidate);
    const production =
      order.against === undefined
        ? productionOf(store.state, order.model)
        : this.#version(order.model, order.against);
    if (production === null)
      throw new AdbreakError(
        'conflict',
        `Cannot evaluate ${order.model} ${order.candidate}: there is no production version to compare it with`,
        {
          remedy: 'Name one with --against.',
        },
      );
    if (production.digest === candidate.digest)
      throw new AdbreakError(
        'input_invalid',
        `Cannot evaluate ${order.model} ${order.candidate} against itself`,
      );
    const members: Member[] = Object.values(store.state.devices).filter(
      (device) => device.model === order.model && !device.revoked && device.desired !== null,
    );
    const cohort = members
      .filter((member) => reaches(order.where, member) && order.without?.includes(member.id) !== true)
      .map(({ id }) => id);
    if (cohort.length < order.quorum)
      throw new AdbreakError(
        'conflict',
        `Cannot start a round: ${cohort.length} devices can be asked, the quorum is ${order.quorum}`,
        {
          remedy: 'Lower --quorum, or reach more devices.',
        },
      );
    if (order.secure && cohort.length > MOST_SECURE)
      throw new AdbreakError(
        'conflict',
        `Cannot start a secure round of ${cohort.length} devices: at most ${MOST_SECURE} at once`,
        {
          remedy: 'Reach fewer with --site or --channel.',
        },
      );
    if (order.secure && order.epsilon !== null)
      throw new AdbreakError(
        'input_invalid',
        'Cannot start a secure round with noise: the sum needs none, no single count leaves a device',
      );
    const id = `round-${randomBytes(5).toString('hex')}`;
    const started = now();
    const round: Round = {
      id,
      model: order.model,
      request: {
        round: id,
        production,
        candidate,
        deadline: new Date(started.getTime() + order.hours * 3_600_000).toISOString(),
        secure: order.secure,
        epsilon: order.epsilon,
      },
      started: started.toISOString(),
      who: order.who,
      quorum: order.quorum,
      minDevices: order.minDevices,
      rollout: order.rollout,
      cohort,
      status: 'open',
      answers: {},
      sum: null,
      closed: null,
      trouble: null,
      told: true,
    };
    if (order.secure)
      this.#secure.set(id, {
        sum: new SecureSum(cohort, SECURE_FIELDS.length, Math.max(order.quorum, order.minDevices)),
        since: started.getTime(),
      });
    const before = await store.change((state, writing) => {
      // Asked again by a gate that was never told whether its first request was kept.
      const known = order.rollout === null ? undefined : unheard(state.evaluations, order.rollout);
      // In one write with the round: a gate that waits for one never gets two.
      for (const [key, { kind, rollout }] of Object.entries(state.outbox))
        if (kind === 'start-round' && rollout === order.rollout) delete state.outbox[key];
      if (known !== undefined) return known.id;
      state.evaluations.push(round);
      const ended = state.evaluations.filter(({ status }) => status !== 'open');
      if (state.evaluations.length > KEPT_ROUNDS && ended[0] !== undefined)
        state.evaluations = state.evaluations.filter((one) => one !== ended[0]);
      writing.audit({
        who: order.who,
        what: 'evaluation.start',
        subject: `${order.model} ${order.candidate}`,
        after: { round: id, devices: cohort.length, secure: order.secure },
      });
      return null;
    });
    await assign(order.model);
    return before === null ? round : this.find(before);
  }

  /** The round that a rollout's stage asks for; none where one is open for it already, or has ended without its knowing. */
  async startFor(rollout: Rollout): Promise<void> {
    const stage = rollout.plan.stages[rollout.stage];
    const { evaluations } = this.#options.store.state;
    if (stage?.round == null || unheard(evaluations, rollout.id) !== undefined) return;
    await this.start({
      model: rollout.model,
      candidate: rollout.to.version,
      against: rollout.from.version,
      where: stage.where,
      without: takenOut(rollout),
      quorum: stage.round.quorum,
      hours: stage.round.hours,
      minDevices: Math.min(LEAST_SHOWN, stage.round.quorum),
      secure: false,
      epsilon: null,
      who: `gate:${rollout.id}`,
      rollout: rollout.id,
    });
  }

  /** A device's answer. Refused where it does not add up, is of another round, late, or comes twice. */
  async take(device: string, report: RoundReport): Promise<void> {
    const round = this.#open(report.round, device);
    const refuse = (why: string) =>
      new AdbreakError('input_invalid', `Cannot accept the answer of ${device} to ${round.id}: ${why}`);
    if (round.request.secure) throw refuse('this round is secure, and takes no counts of single devices');
    if (
      report.production !== round.request.production.digest ||
      report.candidate !== round.request.candidate.digest
    )
      throw refuse('it compares other models');
    const wrong = roundContradiction(report, round.request.epsilon !== null);
    if (wrong !== null) throw refuse(wrong);
    // The first answer counts; who sends it again waits for the same commit.
    await this.#options.store.change((state) => {
      const open = state.evaluations.find(({ id, status }) => id === round.id && status === 'open');
      if (open === undefined)
        throw new AdbreakError(
          'conflict',
          `Cannot take an answer of ${device} to ${round.id}: the round is over`,
        );
      if (!Object.hasOwn(open.answers, device)) open.answers[device] = report;
    });
    await this.#options.assign(round.model, [device]);
  }

  secureView(device: string, id: string): SecureView {
    const round = this.find(id);
    if (round.status !== 'open' && round.cohort.includes(device))
      return { phase: 'over', reason: `the round is ${round.status}` };
    this.#open(id, device);
    return (
      this.#secure.get(id)?.sum.view(device) ?? {
        phase: 'over',
        reason: 'the hub was started anew, and a secure round does not outlive that',
      }
    );
  }
  /** One message of a device into a secure round; `act` puts it where it belongs. */
  secureMessage(device: string, id: string, act: (sum: SecureSum) => void): void {
    this.#open(id, device);
    const running = this.#secure.get(id);
    if (running === undefined)
      throw new AdbreakError('conflict', `Cannot take part in ${id}: the round is over`);
    act(running.sum);
  }

  async cancel(id: string, who: string): Promise<Round> {
    const round = this.find(id);
    if (round.status !== 'open')
      throw new AdbreakError('conflict', `Cannot cancel round ${id}: it is ${round.status}`);
    await this.#close(round, 'cancelled', who);
    return this.find(id);
  }

  /** Closes what is complete or past its deadline, moves secure rounds on, and tells of ends that were not heard of yet. */
  async tick(): Promise<void> {
    const now = this.#options.now().getTime();
    for (const round of this.#options.store.state.evaluations.filter(
      ({ status, told }) => status === 'open' || !told,
    )) {
      const over = now >= Date.parse(round.request.deadline);
      try {
        if (round.status !== 'open') await this.#tell(round);
        else if (round.request.secure) await this.#tickSecure(round, now, over);
        else if (over || Object.keys(round.answers).length === round.cohort.length)
          await this.#close(round, 'closed', 'hub');
      } catch (error) {
        // One round's trouble is its own: it is looked at again, and the others go on.
        this.#options.log(`round ${round.id}: ${explain(error)}`, { round: round.id, error });
      }
    }
  }

  find(id: string): Round {
    const round = this.#options.store.state.evaluations.find((one) => one.id === id);
    if (round === undefined)
      throw new AdbreakError('not_found', `Cannot find round ${id}`, {
        remedy: 'See `adbreak evaluations list`.',
      });
    return round;
  }

  async #tickSecure(round: Round, now: number, over: boolean): Promise<void> {
    const running = this.#secure.get(round.id);
    if (running === undefined) return this.#close(round, 'closed', 'hub');
    const { sum } = running;
    const patience = sum.phase === 'keys' ? FIRST_PHASE_MS : PHASE_MS;
    if (sum.complete || now - running.since > patience || over) {
      running.since = now;
      sum.advance();
    }
    if (sum.phase !== 'over') return;
    this.#options.log(`round ${round.id}: ${JSON.stringify(sum.view(round.cohort[0] ?? ''))}`, {
      round: round.id,
    });
    // Sum and end are one write: where it fails the next look finds both again.
    const wrong = sum.sum === null ? sum.trouble : sumContradiction(sum.sum, round.cohort.length);
    await this.#close(round, 'closed', 'hub', {
      sum: wrong === null && sum.sum !== null ? [...sum.sum] : null,
      trouble: wrong,
    });
  }

  async #close(
    round: Round,
    status: 'closed' | 'cancelled',
    who: string,
    found: Pick<Round, 'sum' | 'trouble'> = { sum: null, trouble: null },
  ): Promise<void> {
    const { store, now, log } = this.#options;
    const { trouble } = found;
    const at = now().toISOString();
    const result = this.#result({ ...round, ...found });
    const closed = await store.change((state, writing) => {
      // Two looks may have found it open, or a person was faster.
      const open = state.evaluations.find(({ id, status: is }) => id === round.id && is === 'open');
      if (open === undefined) return false;
      Object.assign(open, { status, closed: at, ...found, told: false });
      writing.audit({
        who,
        what: `evaluation.${status}`,
        subject: round.id,
        after: { answers: result.answered },
      });
      const { candidate, production } = round.request;
      const version = state.models[round.model]?.versions[candidate.version];
      if (version === undefined || status !== 'closed') return true;
      version.evaluations.push({
        round: round.id,
        at,
        against: production.version,
        devices: result.answered,
        episodes: result.episodes,
        difference: result.difference,
      });
      version.evaluations.splice(0, version.evaluations.length - KEPT_OF_A_VERSION);
      return true;
    });
    this.#secure.delete(round.id);
    if (!closed) return;
    if (trouble !== null) log(`round ${round.id}: ${trouble}`, { round: round.id });
    log(
      `round ${round.id}: ${status}, ${result.answered} of ${result.asked} devices${result.difference === null ? '' : `, difference ${result.difference.low.toFixed(4)} to ${result.difference.high.toFixed(4)}`}`,
      { round: round.id },
    );
    await this.#tell(this.find(round.id));
  }

  /** The devices are asked no more, and the rollout has the outcome; where that fails or the hub is killed, the next look does it again. */
  async #tell(round: Round): Promise<void> {
    const { store, assign, onClosed } = this.#options;
    await assign(round.model);
    const rollout = store.state.rollouts.find(({ id }) => id === round.rollout);
    // What its log has already does not come twice, nor to a stage that began after the round: that one asks for its own.
    const heard =
      rollout !== undefined && (rollout.round?.round === round.id || rollout.stageSince > round.started);
    if (round.rollout !== null && !heard) {
      const result = this.#result(round);
      await onClosed(round.rollout, {
        round: round.id,
        low: result.difference?.low ?? -1,
        high: result.difference?.high ?? 1,
        devices: result.answered,
        episodes: result.episodes,
        inconclusive: result.inconclusive || round.status === 'cancelled',
      });
    }
    await this.#edit(round.id, { told: true });
  }

  /** Without the answers of devices whose evidence was taken out of the rollout since they were asked. */
  #result(round: Round) {
    const rollout = this.#options.store.state.rollouts.find(({ id }) => id === round.rollout);
    const answers = Object.entries(round.answers).filter(
      ([device]) => rollout === undefined || !isTakenOut(device, rollout),
    );
    return resultOf({ ...round, answers: Object.fromEntries(answers) });
  }

  async #edit(id: string, change: Partial<Round>): Promise<void> {
    await this.#options.store.change(
      (state) => void Object.assign(state.evaluations.find((one) => one.id === id) ?? {}, change),
    );
  }

  #open(id: string, device: string): Round {
    const round = this.find(id);
    if (round.status !== 'open' || !round.cohort.includes(device))
      throw new AdbreakError(
        'conflict',
        `Cannot take an answer of ${device} to ${id}: the round is ${round.status}, or does not ask it`,
      );
    return round;
  }

  #version(model: string, version: string): ModelRef {
    const digest = this.#options.store.state.models[model]?.versions[version]?.manifest.digest;
    if (digest === undefined)
      throw new AdbreakError('not_found', `Cannot evaluate ${model} ${version}: it is not registered`);
    return { version, digest };
  }
}
