import { canonicalCommand, deadlineRefusal, refusedBy } from '@adbreak/shared/contract/commands.js';
import {
  DEVICE_DEADLINE_MS,
  type DeviceCommand,
  type DeviceReply,
  deviceCommand,
  deviceReply,
} from '@adbreak/shared/contract/device-commands.js';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';

type Row = HubState['deviceCommands'][string];
/** A command as a person gives it: when it is sent, the hub says. */
type Unsent<C> = C extends unknown ? Omit<C, 'sent'> : never;
export type AskedCommand = Unsent<DeviceCommand>;

/** How a command to a device stands, for people. */
export interface CommandStanding {
  readonly id: string;
  readonly device: string;
  readonly command: DeviceCommand['command'];
  readonly who: string;
  readonly asked: string;
  readonly deadline: string;
  /** Null while it may still be begun, or is being carried out. */
  readonly reply: DeviceReply | null;
}

interface Options {
  readonly store: Store;
  readonly now: () => Date;
  /** By which a command is forgotten. */
  readonly settled: () => Date;
  /** Sends a message to the session that a device has. */
  readonly send: (device: string, id: string, message: string) => Promise<void>;
  readonly log: Log;
}

/** Of one device, and of all: a reply with a log has 64 KB, and all of them are in memory. */
const MOST_OF_DEVICE = 20;
const MOST_IN_ALL = 2000;
/** How long a command is remembered after its deadline: people look at replies. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;

/**
 * Commands to devices, kept until they are answered or their deadline is over. They are sent when a device begins to
 * listen, not retained: a retained message would come again after it was done, and say when it was sent that once was.
 */
export class DeviceCommands {
  readonly #options: Options;
  /** Devices that listen now, and what was sent in this session. */
  readonly #listening = new Map<string, Set<string>>();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Keeps a command, and sends it where the device is there. The same under the same name again is one command; another
   * one under that name is a `conflict`.
   */
  async ask(device: string, id: string, asked: AskedCommand, who: string): Promise<CommandStanding> {
    const { store, now, settled } = this.#options;
    const what = `${asked.command} ${device}`;
    const command = deviceCommand.parse({ ...asked, sent: now().toISOString() });
    const key = keyOf(device, id);
    await store.change((state, writing) => {
      const known = state.deviceCommands[key];
      if (known !== undefined) {
        if (sameCommand(known.command, command)) return;
        throw new AdbreakError('conflict', `Cannot ${what}: another command has the name ${id}`, {
          remedy: 'Draw a new name for each command.',
        });
      }
      requireDevice(state, device, what);
      const late = deadlineRefusal(command, { now: now(), what, mostMs: DEVICE_DEADLINE_MS });
      if (late !== null) throw late;
      makeRoom(state, device, what, settled());
      writing.audit({ who, what: 'device.command', subject: device, after: { id, command: asked } });
      state.deviceCommands[key] = { device, id, who, command, reply: null };
    });
    await this.#send(device);
    return this.find(device, id);
  }

  /** Those of a device, oldest first. */
  of(device: string): CommandStanding[] {
    return this.#rows(device).map((row) => this.#standing(row));
  }

  find(device: string, id: string): CommandStanding {
    const row = ownValue(this.#options.store.state.deviceCommands, keyOf(device, id));
    if (row === undefined)
      throw new AdbreakError('not_found', `Cannot find command ${id} to ${device}`, {
        remedy: `See \`adbreak devices commands ${device}\`: they are remembered for a week after their deadline.`,
      });
    return this.#standing(row);
  }

  /** A session of a device hears its commands from now on, or has ended. */
  listening(device: string, listens: boolean): void {
    if (!listens) return void this.#listening.delete(device);
    this.#listening.set(device, new Set());
    void this.#send(device);
  }

  /** Takes a device's answer; resolves when it is on the disk. One that nobody waits for, or that came before, is nothing new. */
  async answered(device: string, id: string, payload: Uint8Array): Promise<void> {
    const { store, now, log } = this.#options;
    const key = keyOf(device, id);
    const waiting = ownValue(store.state.deviceCommands, key);
    if (waiting === undefined || waiting.reply !== null) return;
    const reply = readReply(waiting, payload, now());
    await store.change(({ deviceCommands }) => {
      const row = deviceCommands[key];
      if (row !== undefined) row.reply ??= reply;
    });
    const outcome =
      reply.outcome === 'done' ? 'done' : `refused: ${reply.error.code}: ${reply.error.message}`;
    log(`${device}: ${waiting.command.command} ${id}: ${outcome}`, { device });
  }

  /** What could not be sent when it was asked for; and what is forgotten. */
  async look(): Promise<void> {
    const { store, settled } = this.#options;
    const waiting = new Map<string, Row[]>();
    for (const row of Object.values(store.state.deviceCommands))
      if (row.reply === null) waiting.set(row.device, [...(waiting.get(row.device) ?? []), row]);
    for (const [device, rows] of waiting) await this.#send(device, rows);
    const old = Object.entries(store.state.deviceCommands).filter(
      ([, { command }]) => Date.parse(command.deadline) + REMEMBERED_MS <= settled().getTime(),
    );
    if (old.length > 0)
      await store.change(({ deviceCommands }) => {
        for (const [key] of old) delete deviceCommands[key];
      });
  }

  #rows(device: string): Row[] {
    const prefix = keyOf(device, '');
    return Object.entries(this.#options.store.state.deviceCommands).flatMap(([key, row]) =>
      key.startsWith(prefix) ? [row] : [],
    );
  }

  /** All that waits for a device and was not sent in its session. */
  async #send(device: string, rows = this.#rows(device)): Promise<void> {
    const { send, now, log } = this.#options;
    const sent = this.#listening.get(device);
    if (sent === undefined) return;
    for (const { id, command, reply } of rows) {
      if (reply !== null || sent.has(id) || isOver(command, now())) continue;
      // Noted first: who asks meanwhile must not send it a second time.
      sent.add(id);
      const message = JSON.stringify({ ...command, sent: now().toISOString() });
      await send(device, id, message).catch((error: unknown) => {
        sent.delete(id);
        log(`${device}: cannot send ${command.command} ${id}: ${explain(error)}`, { device, error });
      });
    }
  }

  #standing({ device, id, who, command, reply }: Row): CommandStanding {
    const { deadline, sent, command: name } = command;
    const late = isOver(command, this.#options.now()) ? unanswered(device, command) : null;
    return { id, device, command: name, who, asked: sent, deadline, reply: reply ?? late };
  }
}

function keyOf(device: string, id: string): string {
  return `${device} ${id}`;
}

function isOver({ deadline }: DeviceCommand, now: Date): boolean {
  return Date.parse(deadline) <= now.getTime();
}

/** What people read once nothing can be begun any more; an answer that is still on its way takes its place. */
function unanswered(device: string, { command, deadline }: DeviceCommand): DeviceReply {
  const error = new AdbreakError(
    'command_expired',
    `Cannot ${command} ${device}: until its deadline, ${deadline}, no answer came`,
  );
  return refusedBy(error, new Date(deadline));
}

/** When it was sent is no part of what was asked. */
function sameCommand({ sent: _, ...a }: DeviceCommand, { sent: __, ...b }: DeviceCommand): boolean {
  return canonicalCommand(a) === canonicalCommand(b);
}

function requireDevice(state: HubState, id: string, what: string): void {
  const device = state.devices[id];
  if (device === undefined)
    throw new AdbreakError('not_found', `Cannot ${what}: it is not enrolled`, {
      remedy: 'See `adbreak devices list`.',
    });
  if (device.revoked)
    throw new AdbreakError('conflict', `Cannot ${what}: its identity was revoked`, {
      remedy: 'Enrol it again with a new claim token: `adbreak devices claim`.',
    });
}

/** What is answered or over makes room, the oldest first; what waits does not. */
function makeRoom({ deviceCommands }: HubState, device: string, what: string, now: Date): void {
  const rows = Object.entries(deviceCommands);
  const over = ([, row]: [string, Row]) => row.reply !== null || isOver(row.command, now);
  const own = rows.filter(([, row]) => row.device === device);
  for (const [of, most] of [
    [own, MOST_OF_DEVICE],
    [rows, MOST_IN_ALL],
  ] as const) {
    if (of.length < most) continue;
    const [oldest] = of.find(over) ?? [];
    if (oldest === undefined)
      throw new AdbreakError('conflict', `Cannot ${what}: ${of.length} commands wait already`, {
        remedy: `Wait until they are answered or over: \`adbreak devices commands ${device}\`.`,
      });
    delete deviceCommands[oldest];
    if (of === own) return;
  }
}

/** What a device says, or what stands in the place of an answer that is none: the command must not wait for ever. */
function readReply({ device, command }: Row, payload: Uint8Array, now: Date): DeviceReply {
  const what = `the answer of ${device} to ${command.command}`;
  try {
    const reply = parseJson(deviceReply, payload, MESSAGE_LIMIT, what);
    if (reply.outcome === 'refused' || reply.command === command.command) return reply;
    throw new AdbreakError('input_invalid', `Cannot accept ${what}: it is one to ${reply.command}`);
  } catch (error) {
    if (error instanceof AdbreakError) return refusedBy(error, now);
    throw error;
  }
}
