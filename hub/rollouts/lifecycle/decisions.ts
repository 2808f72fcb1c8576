import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { keepEffects } from '../../store/effects.js';
import type { HubState, StoredRollout } from '../../store/state.js';
import type { AuditEntry, Store, Writing } from '../../store/store.js';
import type { EventOf } from '../events.js';
import type { Verdict } from '../gate.js';
import type { Effect } from '../moves.js';
import { type Entry, isActive, type Rollout, type RoundOutcome } from '../rollout.js';
import { step } from '../step.js';
import { isDuplicate } from '../windows.js';
import { Elapsed } from './elapsed.js';
import { activeRollouts } from './memberships.js';
import type { Turns } from './turns.js';

interface Options {
  readonly store: Store;
  readonly turns: Turns;
  readonly now: () => Date;
  readonly onDecision: (rollout: Rollout, verdict: Verdict | null) => void;
}
/** Events that decide nothing: they are added up, many in one commit. */
type Summed = EventOf<'window'> | EventOf<'device'>;
/** Events that are looked at alone; the rollout's row is written with them. */
type Decided = EventOf<'tick' | 'order' | 'exclude' | 'round' | 'assigned'>;

/** A report that is new. */
export interface Taken {
  /** Windows that the device made since its last one and that never came. */
  readonly lost: number;
  /** Its numbers began anew since then: so many seconds lie between the streams. */
  readonly anewAfter?: number;
}

/** What moves rollouts: each event into the log together with all that it changes, in one transaction. */
export class Decisions {
  readonly #options: Options;
  readonly #elapsed: Elapsed;

  constructor(options: Options) {
    this.#options = options;
    this.#elapsed = new Elapsed(options.store);
  }

  find(id: string): StoredRollout {
    const rollout = this.#options.store.state.rollouts.find((candidate) => candidate.id === id);
    if (rollout === undefined)
      throw new AdbreakError('not_found', `Cannot find rollout ${id}`, {
        remedy: 'See `adbreak rollouts list`.',
      });
    return rollout;
  }

  /**
   * A window report, with what `write` makes of it in the hub's state; where that says null it was a duplicate, and is no
   * event. The rollout that it names hears of it in the same transaction.
   */
  take(
    device: string,
    report: WindowReport,
    write: (state: HubState, writing: Writing) => Taken | null = () => ({ lost: 0 }),
  ): Promise<void> {
    const { store, now } = this.#options;
    const id = report.rollout;
    if (id === null || store.state.rollouts.every((one) => one.id !== id || !isActive(one)))
      return store.change((state, writing) => void write(state, writing));
    return this.#addUp(id, (state, writing) => {
      const taken = write(state, writing);
      return (
        taken && {
          kind: 'window',
          at: now().toISOString(),
          device,
          report,
          ...(taken.lost > 0 && { lost: taken.lost }),
          ...(taken.anewAfter !== undefined && { anewAfter: taken.anewAfter }),
        }
      );
    });
  }

  /** What a device says about running the candidate: a coded problem, or null when there is none. */
  async deviceSays(device: string, model: string, problem: string | null): Promise<void> {
    const { store, now } = this.#options;
    const rollout = activeRollouts(store.state, model).find(({ members }) => members.includes(device));
    if (rollout === undefined || (ownValue(rollout.failing, device) ?? null) === problem) return;
    await this.#addUp(rollout.id, () => ({
      kind: 'device',
      at: now().toISOString(),
      device,
      problem,
      enrolledAgain: false,
    }));
  }

  /**
   * A new card under an old name: its windows begin at one again. Kept with the enrolment until it is in every log, and done
   * before the card has its certificate: a kill in between leaves it to the next start, or to the card that asks again.
   */
  async enrolledAgain(device: string): Promise<void> {
    const { store, now } = this.#options;
    const entry = ownValue(store.state.devices, device);
    if (entry?.enrolledAnew !== true) return;
    for (const { id } of activeRollouts(store.state, entry.model).filter(({ evidence }) =>
      Object.hasOwn(evidence.devices, device),
    ))
      await this.#addUp(id, () => ({
        kind: 'device',
        at: now().toISOString(),
        device,
        problem: null,
        enrolledAgain: true,
      }));
    await store.change(({ devices }) => void delete devices[device]?.enrolledAnew);
  }

  async roundClosed(id: string, round: RoundOutcome): Promise<void> {
    const rollout = this.#options.store.state.rollouts.find((one) => one.id === id);
    if (rollout !== undefined && isActive(rollout))
      await this.decide(id, { kind: 'round', at: this.#options.now().toISOString(), round });
  }

  #addUp(id: string, write: (state: HubState, writing: Writing) => Summed | null): Promise<void> {
    const { store, turns } = this.#options;
    return turns.together(id, () =>
      store.change((state, writing) => {
        const event = write(state, writing);
        const rollout = this.find(id);
        if (event === null || !isActive(rollout) || isCounted(rollout, event)) return;
        const number = writing.event(id, event);
        writing.after((all) => replace(all, id, (one) => ({ ...step(one, event).state, seen: number })));
      }),
    );
  }

  /** A look, an order, a round's end, an assignment: through the state machine, and into the log with all that follows from it. */
  decide(id: string, event: Decided, audit?: AuditEntry): Promise<void> {
    return this.#options.turns.alone(id, async () => {
      await this.#leaveOut(id, event.at);
      await this.#decide(id, event, audit);
    });
  }

  /** Hours in which no hub ran, or that its clock has skipped, are in the log before what is decided after them. */
  async #leaveOut(id: string, at: string): Promise<void> {
    if (!isActive(this.find(id))) return;
    const hours = await this.#elapsed.uncounted(id, Date.parse(at));
    if (hours !== 0) await this.#decide(id, { kind: 'uncounted', at, hours }, undefined);
    this.#elapsed.note(id, Date.parse(at));
  }

  async #decide(
    id: string,
    event: Decided | EventOf<'uncounted'>,
    audit: AuditEntry | undefined,
  ): Promise<void> {
    const { store, onDecision } = this.#options;
    const before = this.find(id);
    if (!isActive(before)) {
      if (event.kind !== 'order') return;
      throw new AdbreakError('conflict', `Cannot ${event.order} rollout ${id}: it is ${before.status}`);
    }
    const { state, effects, decision, verdict, quiet } = step(before, event);
    // A look that changed nothing is not worth a line: replaying without it gives the same.
    if (quiet) {
      if (state.last?.reason !== before.last?.reason)
        store.amend((all) => replace(all, id, () => ({ ...state, seen: before.seen })));
      return;
    }
    await store.change(
      (all, writing) => {
        // A change whose caller was let go without an answer may have been kept since: this one was computed from before it.
        if (all.rollouts.find((one) => one.id === id) !== before)
          throw new AdbreakError('conflict', `Cannot change rollout ${id}: it has changed meanwhile`, {
            remedy: 'Look at it (`adbreak rollouts show`), then ask again.',
          });
        const looked = writing.event(id, event);
        const seen = decision === null ? looked : writing.event(id, { kind: 'decision', entry: decision });
        replace(all, id, () => ({ ...trimmed(state), seen }));
        keepEffects(all, state, seen, effects);
      },
      audit ?? auditOf(state, effects, decision),
    );
    if (decision !== null) onDecision(state, verdict);
  }
}

function replace(all: HubState, id: string, next: (rollout: StoredRollout) => StoredRollout): void {
  all.rollouts = all.rollouts.map((one) => (one.id === id ? next(one) : one));
}

/** A report that the sums hold, and so the log; QoS 1 may deliver twice. */
function isCounted({ evidence, plan }: Rollout, event: Summed): boolean {
  return event.kind === 'window' && isDuplicate(ownValue(evidence.devices, event.device), event, plan);
}

/** An ended rollout needs no reference and no open hours any more. */
function trimmed(state: Rollout): Rollout {
  if (isActive(state)) return state;
  return {
    ...state,
    evidence: { ...state.evidence, open: {}, waiting: {} },
    drift: { ...state.drift, reference: null, open: {}, usual: [] },
  };
}

function auditOf(
  { id, model, to }: Rollout,
  effects: readonly Effect[],
  decision: Entry | null,
): AuditEntry | undefined {
  if (effects.length === 0 || decision === null) return undefined;
  const after = { verdict: decision.verdict, reason: decision.reason };
  return { who: `gate:${id}`, what: `rollout.${decision.action}`, subject: `${model} ${to.version}`, after };
}
