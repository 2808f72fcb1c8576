import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import {
  type Desired,
  type DeviceEvent,
  event,
  MESSAGE_LIMIT,
  type Reported,
  reported,
  type Status,
  status,
  type WindowReport,
  windowReport,
} from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { roundReport } from '@adbreak/shared/contract/rounds.js';
import type { DeviceTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, type ErrorCode, explain, printable } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import { CLOCK_TOLERANCE_MS } from '../monitoring/calendar.js';
import type { Taken } from '../rollouts/lifecycle/decisions.js';
import type { Executor } from '../rollouts/lifecycle/executor.js';
import type { HubState } from '../store/state.js';
import type { Store, Writing } from '../store/store.js';
import { excess, foreign, type SharedTime, sharedTime, unknownArms } from './bounds.js';
import { placed } from './changes.js';
import { QUOTAS } from './quotas.js';
import { noteNumbers, standingOf, takenUntil, tellLost } from './streams.js';

type Device = HubState['devices'][string];
interface IntakeOptions {
  readonly store: Store;
  readonly executor: Pick<Executor, 'take' | 'deviceSays'>;
  readonly evaluations: Pick<Evaluations, 'take'>;
  readonly now: () => Date;
  readonly log: Log;
  readonly onEvent: (device: string, event: DeviceEvent) => void;
  /** Whether a session of the device is open: a last will comes after it, and may say what it likes. */
  readonly present: (device: string) => boolean;
  /** Whether it was revoked, also where that is not written down yet. */
  readonly barred: (device: string) => boolean;
  /** Tells a device what its entry says: why the hub took no report of it, or that it does again. */
  readonly tell: (device: string) => Promise<void>;
}

/**
 * A device hears of its refused reports so often at most: each telling is a message of its whole desired
 * state.
 */
const TOLD_EVERY_MS = 10_000;
/** Devices that are remembered by these: more than a fleet on one machine has. */
const DEVICES = 20_000;
const { burst, perSecond } = QUOTAS.events;
const TOO_MANY_EVENTS = `it has sent ${burst} at once and more than ${perSecond} a second after them`;
/** Characters of a sentence that the contract lets through. */
const LONGEST_TEXT = 500;

/** One connection of a device: its windows are taken in the order in which they came. */
interface Session {
  /** Its windows are taken one after the other. */
  readonly turn: SerialRunner;
  /** Why a window of it could not be stored. Later ones are refused until it connects again, and sends the first one again: with a higher number on the disk, that one would pass for a duplicate. */
  broken: unknown;
  /** What the device's clock said, and when by a clock that nobody sets, milliseconds. */
  clock: { readonly said: number; readonly heard: number } | null;
}

/**
 * Takes devices' messages into the state; resolves when what was said is on disk, and rejects where it is not. A message that
 * fits no schema is refused, counted and acknowledged: sent again it would fail again, and must not block the device's spool.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #events = new TokenBuckets(QUOTAS.events, DEVICES);
  /** Devices whose desired state, as it was sent last, says that a report was refused. */
  readonly #refusing = new Set<string>();
  readonly #told = new TokenBuckets({ burst: 1, perSecond: 1000 / TOLD_EVERY_MS }, DEVICES);

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** A device is there anew: what it had no acknowledgement for, it sends again, oldest first. */
  connected(device: string): void {
    this.#begin(device);
  }

  #begin(device: string): Session {
    const before = this.#sessions.get(device);
    // Windows may come before the status of their session: until then the device's clock goes on from what it said last.
    const session: Session = {
      turn: before?.turn ?? new SerialRunner(),
      broken: null,
      clock: before?.clock ?? null,
    };
    this.#sessions.set(device, session);
    return session;
  }

  #session(device: string): Session {
    return this.#sessions.get(device) ?? this.#begin(device);
  }

  async take(id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
    const { store, log } = this.#options;
    if (!Object.hasOwn(store.state.devices, id))
      throw new AdbreakError('not_found', `Cannot take a message: device ${id} is not enrolled`);
    // Its session is ended, and what it has left for its end comes after that.
    if (store.state.devices[id]?.revoked === true || this.#options.barred(id))
      throw new AdbreakError('identity_revoked', `Cannot take a message of ${id}: its identity was revoked`);
    try {
      await this.#file(id, kind, payload);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      log(`refused a message of ${id}: ${error.code}: ${explain(error)}`, { device: id, error });
      await this.#refused(id, error, (device) => ({ refusedReports: device.refusedReports + 1 }));
    }
  }

  /**
   * Writes down why a report is not taken, with what else changes, and tells its device: MQTT 3.1.1 has no
   * reason in a PUBACK.
   */
  async #refused(
    id: string,
    error: AdbreakError,
    change: (device: Device) => Partial<Device>,
  ): Promise<void> {
    const refusal = {
      code: error.code,
      message: printable(explain(error)).slice(0, LONGEST_TEXT),
      at: this.#options.now().toISOString(),
    };
    await this.#note(id, (device) => ({ ...change(device), refusal }));
    if (this.#told.take(id, 1, performance.now()) === 0) this.#tell(id);
  }

  #tell(id: string): void {
    const { tell, log } = this.#options;
    if (this.#refusalOf(id) === undefined) this.#refusing.delete(id);
    else this.#refusing.add(id);
    tell(id).catch((error: unknown) => log(`${id}: ${explain(error)}`, { device: id, error }));
  }

  async #file(id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
    const { store, now, onEvent, executor, evaluations } = this.#options;
    switch (kind) {
      case 'status': {
        const message = parseJson(status, payload, MESSAGE_LIMIT, `${id}/status`);
        const isWill = this.#isWill(id, message);
        if (message.online)
          this.#session(id).clock = { said: Date.parse(message.at), heard: performance.now() };
        return this.#note(id, () => ({
          online: message.online && this.#options.present(id),
          ...(isWill && { lost: true as const }),
          agent: message.agent,
          lastSeen: now().toISOString(),
        }));
      }
      case 'reported': {
        const message = parseJson(reported, payload, MESSAGE_LIMIT, `${id}/reported`);
        await this.#note(id, () => ({ reported: message, lastSeen: now().toISOString() }));
        return executor.deviceSays(
          id,
          store.state.devices[id]?.model ?? '',
          candidateProblem(message, store.state.devices[id]?.desired ?? null),
        );
      }
      case 'events': {
        const message = parseJson(event, payload, MESSAGE_LIMIT, `${id}/events`);
        if (this.#events.take(id, 1, performance.now()) > 0)
          throw new AdbreakError('too_many_requests', `Cannot take an event of ${id}: ${TOO_MANY_EVENTS}`);
        return onEvent(id, message);
      }
      case 'windows':
        return this.#window(id, payload);
      case 'evaluations':
        return evaluations.take(id, parseJson(roundReport, payload, MESSAGE_LIMIT, `${id}/evaluations`));
      case 'desired':
        return;
    }
  }

  /**
   * A last will was written before its session began, an orderly goodbye after it has said that it is there;
   * both by one clock, the device's.
   */
  #isWill(id: string, { online, at }: Status): boolean {
    const clock = this.#sessions.get(id)?.clock ?? null;
    return !online && clock !== null && Date.parse(at) <= clock.said;
  }

  #refusalOf(id: string): Device['refusal'] {
    return this.#options.store.state.devices[id]?.refusal;
  }

  #note(id: string, change: (device: Device) => Partial<Device>): Promise<void> {
    return this.#options.store.change(({ devices }) => {
      const device = devices[id];
      if (device !== undefined) Object.assign(device, change(device));
    });
  }

  async #window(id: string, payload: Uint8Array): Promise<void> {
    const came = parseJson(windowReport, payload, MESSAGE_LIMIT, `${id}/windows`);
    const wrong = contradiction(came) ?? excess(came);
    if (wrong !== null) throw refused(came, id, wrong);
    const session = this.#session(id);
    const sender = this.#options.store.state.devices[id];
    if (sender === undefined) return;
    const { place } = sender;
    const report = place === undefined ? came : { ...came, slice: placed(came.slice, place) };
    // Kept as it was counted: sums that are computed again must come to the same.
    const body = place === undefined ? new TextDecoder().decode(payload) : JSON.stringify(report);
    // In order: with a later number on the disk, one that was overtaken would pass for a duplicate.
    await session.turn.run(() => this.#count(session, sender, report, body));
  }

  /**
   * The window in one transaction: what it says of its device, the fleet's hours, the report as it came, and the event of its
   * rollout. One that comes again finds its number taken, and waits for the same commit.
   */
  async #count(session: Session, sender: Device, report: WindowReport, body: string): Promise<void> {
    const { executor } = this.#options;
    try {
      await executor.take(sender.id, report, (state, writing) => {
        // Looked at when its turn has come: what was sent before it may have failed by now.
        if (session.broken !== null)
          throw new NotYet(
            'conflict',
            `Cannot take window ${report.sequence} of ${sender.id}: one before it is not stored`,
            { cause: session.broken },
          );
        try {
          return this.#store(session, state, sender, report, body, writing);
        } catch (error) {
          if (!isRefusal(error)) session.broken = error;
          throw error;
        }
      });
    } catch (error) {
      if (error instanceof WrongClock) await this.#noteClocks(sender.id, error);
      if (!isRefusal(error)) session.broken ??= error;
      throw error;
    }
    // The entry of before a restart counts, too: it was published with what it says.
    const wasTold = sender.refusal !== undefined || this.#refusing.has(sender.id);
    if (wasTold && this.#refusalOf(sender.id) === undefined) this.#tell(sender.id);
  }

  /** Null for a duplicate: QoS 1 may deliver twice, and a sequence number counts once in its stream. */
  #store(
    session: Session,
    state: HubState,
    sender: Device,
    report: WindowReport,
    body: string,
    writing: Writing,
  ): Taken | null {
    const device = this.#sameCard(state, sender, report);
    const now = this.#options.now().getTime();
    const standing = standingOf(device, report, now);
    if (standing.kind === 'duplicate') return null;
    if (standing.kind === 'refused') throw refused(report, device.id, standing.why);
    this.#checkClocks(session, device, report);
    // As committed: drafting a model's versions for each report costs more than the rest of it.
    const committed = this.#options.store.state;
    const unknown = unknownArms(report, device, committed);
    const wrong = foreign(report, device, committed, unknown);
    if (wrong !== null) throw refused(report, device.id, wrong);
    const time = sharedTime(device, report, now);
    if (typeof time === 'string') throw refused(report, device.id, time);
    noteNumbers(device, report, standing, now);
    noteTime(device, report, time, now);
    const facts = {
      missing: standing.kind === 'next' ? standing.missing : 0,
      // A hub of before took such windows; its rollups leave them out.
      twice: false,
      unknown,
    };
    writing.report(
      { device: sender.id, sequence: report.sequence, start: report.start, body },
      report,
      facts,
    );
    return tellLost(device, report);
  }

  /** A new card's numbers begin at one: with a higher one of the card before it, they would pass for duplicates. */
  #sameCard(
    { devices }: HubState,
    { id, enrolled, fingerprint }: Device,
    { sequence }: WindowReport,
  ): Device {
    const device = devices[id];
    // A renewal changes the certificate, and an enrolment when it was.
    if (
      device !== undefined &&
      (device.enrolled === enrolled || device.fingerprint === fingerprint) &&
      device.enrolledAnew !== true
    )
      return device;
    throw new NotYet(
      'unauthorized',
      `Cannot take window ${sequence} of ${id}: a new card was enrolled under this name since it came`,
    );
  }

  /**
   * A window that ends in the future has a wrong clock behind it, and it may be the hub's. Refused for good it is only where the
   * device's own clock has been set right since then; else it waits.
   */
  #checkClocks({ clock }: Session, device: Device, { sequence, end }: WindowReport): void {
    const hub = this.#options.now();
    const ahead = (instant: number) => instant - hub.getTime() > CLOCK_TOLERANCE_MS;
    if (!ahead(Date.parse(end))) {
      if (device.clock !== undefined) delete device.clock;
      return;
    }
    const why = `Cannot take window ${sequence} of ${device.id}: by its clock it ends at ${end}, and the hub's says ${hub.toISOString()}`;
    if (clock !== null && !ahead(clock.said + performance.now() - clock.heard))
      throw new AdbreakError('input_invalid', `${why}, as the device's does now`);
    throw new WrongClock(why, { device: end, hub: hub.toISOString() });
  }

  /** Both clocks, for people; told once. */
  async #noteClocks(id: string, error: WrongClock): Promise<void> {
    const { store, log } = this.#options;
    if (store.state.devices[id]?.clock === undefined)
      log(`${id}: its clock and the hub's differ; its windows wait until they agree: ${error.message}`, {
        device: id,
      });
    await this.#refused(id, error, () => ({ clock: error.clocks })).catch((failure: unknown) =>
      log(`${id}: ${explain(failure)}`, { device: id, error: failure }),
    );
  }
}

function refused({ sequence }: WindowReport, id: string, why: string): AdbreakError {
  return new AdbreakError('input_invalid', `Cannot accept window ${sequence} of ${id}: ${why}`);
}

/** Writes down, in place, what a window that is taken says of its device and its time. */
function noteTime(device: Device, report: WindowReport, time: SharedTime, now: number): void {
  const end = Date.parse(report.end);
  device.lastSeen = new Date(now).toISOString();
  device.slice = report.slice;
  device.window = time;
  device.watchedUntil = new Date(Math.max(end, takenUntil(device, now) ?? end)).toISOString();
  if (device.refusal !== undefined) delete device.refusal;
}

/** Not taken now, and not acknowledged: the session ends, and what the device sends again may be taken then. */
class NotYet extends AdbreakError {}

class WrongClock extends NotYet {
  readonly clocks: NonNullable<Device['clock']>;
  constructor(why: string, clocks: NonNullable<Device['clock']>) {
    super('conflict', why, {
      remedy: 'Set the clock that is wrong, of the hub or of the device; nothing is lost meanwhile.',
    });
    this.clocks = clocks;
  }
}

/** What a store or a hub says of itself, and not of the message. */
const OUR_OWN: readonly ErrorCode[] = [
  'disk_full',
  'state_unwritable',
  'state_corrupt',
  'store_unreachable',
  'hub_unreachable',
  'internal',
];

/** A message that is wrong, and would be wrong again; not a disk that is full or fails, nor a hub that stops. */
function isRefusal(error: unknown): error is AdbreakError {
  return error instanceof AdbreakError && !(error instanceof NotYet) && !OUR_OWN.includes(error.code);
}

/**
 * Problems that keep a candidate from running: what was signed was fetched as it was signed, and does not work. All that
 * comes before says nothing about the candidate: a hub out of reach, a card that is full, metadata that has ended by a
 * wrong clock, and what somebody has changed on the way or in the registry (docs/decisions/019).
 */
const CANDIDATE_PROBLEMS: readonly ErrorCode[] = ['model_corrupt', 'model_unsupported', 'inference_failed'];

/** An agent that does not name the model (0.1.0) means the candidate where production serves: without production it would not look at a candidate. */
function candidateProblem({ problem, serving }: Reported, desired: Desired | null): string | null {
  if (problem === null || desired === null || desired.candidate === null) return null;
  const isCandidates =
    problem.model === undefined
      ? serving?.digest === desired.production.digest
      : problem.model === desired.candidate.digest;
  return isCandidates ? (CANDIDATE_PROBLEMS.find((code) => code === problem.code) ?? null) : null;
}
