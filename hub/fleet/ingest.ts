import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { type DeviceEvent, event, MESSAGE_LIMIT, type Reported, reported, status, type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { roundReport } from '@adbreak/shared/contract/rounds.js';
import type { DeviceTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, type ErrorCode, explain } from '@adbreak/shared/errors.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import { absorbHours } from '../monitoring/hours.js';
import type { Executor } from '../rollouts/executor.js';
import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';

type Device = HubState['devices'][string];
interface IntakeOptions {
  readonly store: Store;
  readonly executor: Pick<Executor, 'take' | 'deviceSays'>;
  readonly evaluations: Pick<Evaluations, 'take'>;
  readonly now: () => Date;
  readonly log: (line: string) => void;
  readonly onEvent: (device: string, event: DeviceEvent) => void;
  /** Whether a session of the device is open: a last will comes after it, and may say what it likes. */
  readonly present: (device: string) => boolean;
}

/** A window that ends further ahead than this has a wrong clock behind it. */
const CLOCK_TOLERANCE_MS = 10 * 60_000;
/** The longest window that an agent can be told to make is a day; merged ones of a full spool are longer. */
const LONGEST_MS = 45 * 24 * 3_600_000;

/** One connection of a device: its windows are taken in one after the other. */
interface Session {
  turn: Promise<unknown>;
  /** Why a window of it could not be stored. Later ones are refused until it connects again, and sends the first one again: with a higher number on the disk, that one would pass for a duplicate. */
  broken: unknown;
}

/**
 * Takes devices' messages into the state; resolves when what was said is on disk, and rejects where it is not. A message that
 * fits no schema is refused, counted and acknowledged: sent again it would fail again, and must not block the device's spool.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #sessions = new Map<string, Session>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** A device is there anew: what it had no acknowledgement for, it sends again, oldest first. */
  connected(device: string): void {
    this.#sessions.set(device, { turn: this.#sessions.get(device)?.turn ?? Promise.resolve(), broken: null });
  }

  async take(id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
    const { store, log } = this.#options;
    if (!Object.hasOwn(store.state.devices, id)) throw new AdbreakError('not_found', `Cannot take a message: device ${id} is not enrolled`);
    try {
      await this.#file(id, kind, payload);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      log(`refused a message of ${id}: ${explain(error)}`);
      await this.#note(id, (device) => ({ refusedReports: device.refusedReports + 1 }));
    }
  }

  async #file(id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
    const { store, now, onEvent, executor, evaluations } = this.#options;
    switch (kind) {
      case 'status': {
        const message = parseJson(status, payload, MESSAGE_LIMIT, `${id}/status`);
        return this.#note(id, () => ({ online: message.online && this.#options.present(id), lastSeen: now().toISOString() }));
      }
      case 'reported': {
        const message = parseJson(reported, payload, MESSAGE_LIMIT, `${id}/reported`);
        await this.#note(id, () => ({ reported: message, lastSeen: now().toISOString() }));
        return executor.deviceSays(id, store.state.devices[id]?.model ?? '', candidateProblem(message));
      }
      case 'events':
        return onEvent(id, parseJson(event, payload, MESSAGE_LIMIT, `${id}/events`));
      case 'windows':
        return this.#window(id, payload);
      case 'evaluations':
        return evaluations.take(id, parseJson(roundReport, payload, MESSAGE_LIMIT, `${id}/evaluations`));
      case 'desired':
        return;
    }
  }

  #note(id: string, change: (device: Device) => Partial<Device>): Promise<void> {
    return this.#options.store.change(({ devices }) => {
      const device = devices[id];
      if (device !== undefined) Object.assign(device, change(device));
    });
  }

  async #window(id: string, payload: Uint8Array): Promise<void> {
    const report = parseJson(windowReport, payload, MESSAGE_LIMIT, `${id}/windows`);
    const refuse = (why: string) => new AdbreakError('input_invalid', `Cannot accept window ${report.sequence} of ${id}: ${why}`);
    const wrong = contradiction(report);
    if (wrong !== null) throw refuse(wrong);
    if (Date.parse(report.end) > this.#options.now().getTime() + CLOCK_TOLERANCE_MS) throw refuse(`it ends in the future, at ${report.end}`);
    if (Date.parse(report.end) - Date.parse(report.start) > LONGEST_MS) throw refuse('it is longer than any agent makes one');
    if (!this.#sessions.has(id)) this.connected(id);
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    const counted = session.turn.then(() => this.#count(session, id, report));
    // Who sent it hears of a failure; the next one waits for the end of this one only.
    session.turn = counted.catch(() => undefined);
    const { stored } = await counted;
    await stored;
  }

  /** Into the rollout's log first, then into the state: after a kill in between, the same window comes again, and the log knows it. */
  async #count(session: Session, id: string, report: WindowReport): Promise<{ readonly stored: Promise<void> }> {
    const { store, executor } = this.#options;
    if (session.broken !== null) throw session.broken;
    // QoS 1 may deliver twice: a sequence number counts once. But the first one may still be on its way to the disk.
    if (report.sequence <= (store.state.devices[id]?.sequence ?? 0)) return { stored: store.durable() };
    try {
      await executor.take(id, report);
    } catch (error) {
      if (!isRefusal(error)) session.broken = error;
      throw error;
    }
    return { stored: store.change((state) => this.#absorb(state, id, report)) };
  }

  #absorb(state: HubState, id: string, report: WindowReport): void {
    const now = this.#options.now();
    const device = state.devices[id];
    if (device === undefined) return;
    device.missingWindows += Math.max(0, report.sequence - device.sequence - 1);
    device.sequence = report.sequence;
    device.lastSeen = now.toISOString();
    device.slice = report.slice;
    // A device has one hour in an hour: what it says twice of the same time counts once for the fleet.
    const [start, end, until] = [report.start, report.end, device.watchedUntil ?? report.start].map((instant) => Date.parse(instant));
    if (start === undefined || end === undefined || until === undefined || start < until - 2 * CLOCK_TOLERANCE_MS) return;
    device.watchedUntil = new Date(Math.max(end, until)).toISOString();
    const versions = Object.values(state.models[device.model]?.versions ?? {});
    absorbHours(state.hours, device.id, report, { now: now.getTime(), digests: new Set(versions.map(({ manifest }) => manifest.digest)) });
  }
}

/** A message that is wrong, and would be wrong again; not a disk that is full or fails. */
function isRefusal(error: unknown): boolean {
  return error instanceof AdbreakError && error.code !== 'disk_full';
}

/** Problems that keep a candidate from running. A hub out of reach is none: it says nothing about the candidate. */
const CANDIDATE_PROBLEMS: readonly ErrorCode[] = ['model_corrupt', 'model_unsupported', 'inference_failed', 'manifest_forged', 'metadata_invalid', 'disk_full'];
function candidateProblem({ problem }: Reported): string | null {
  return CANDIDATE_PROBLEMS.find((code) => code === problem?.code) ?? null;
}
