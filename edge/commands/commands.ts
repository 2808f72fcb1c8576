import { COMMAND_LIMIT, canonicalCommand, refusedBy } from '@adbreak/shared/contract/commands.js';
import {
  type DeviceCommand,
  type DeviceReply,
  deviceCommand,
  patienceOf,
} from '@adbreak/shared/contract/device-commands.js';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { Benchmark } from './benchmark.js';
import type { LogTail } from './log-tail.js';
import type { Notebook } from './notebook.js';

/** What the device does when it is asked to. Each throws coded where it cannot, and then nothing was changed. */
export interface Deeds {
  /** Brings the program to its end; the one that began answers. `reload`: with the configuration as it is by now. */
  readonly end: (how: 'restart' | 'reload') => Promise<void>;
  readonly benchmark: (seconds: number, signal: AbortSignal) => Promise<Benchmark>;
  /** Shows itself for so many seconds; by what. */
  readonly identify: (seconds: number) => Promise<('led' | 'page')[]>;
}
interface Options {
  readonly notebook: Notebook;
  readonly deeds: Deeds;
  readonly tail: LogTail;
  /** Version of the program that runs. */
  readonly agent: string;
  /** Why the configuration that a `reload` was for does not work; null where it does, and where there was none. */
  readonly reloadFailed: AdbreakError | null;
  /** Resolves with the hub's acknowledgement, and waits for a connection. */
  readonly publish: (id: string, reply: DeviceReply) => Promise<void>;
  readonly now: () => Date;
  readonly log: (line: string) => void;
}
interface Waiting {
  readonly id: string;
  readonly command: DeviceCommand;
  readonly said: string;
  /** Until when it may be begun, by a clock that nobody sets, milliseconds. */
  readonly until: number;
}

/** What stands around the lines of a log in its reply. */
const ENVELOPE = 512;

/**
 * What the hub asks of this device, one after the other, each at most once. What was not begun when the program ends is
 * not noted: the hub sends it again.
 */
export class Commands implements AsyncDisposable {
  readonly #options: Options;
  readonly #turns = new SerialRunner();
  /** By name, what waits for its turn. */
  readonly #waiting = new Map<string, string>();
  /** Replies on their way. */
  readonly #sending = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Answers what the program before has left, and sends what the hub has not acknowledged. */
  async begin(): Promise<void> {
    const { notebook } = this.#options;
    for (const { id, command } of notebook.open) await this.#answer(id, this.#afterwards(command));
    for (const { id, reply } of notebook.unsent) void this.#send(id, reply);
  }

  /** A message of the hub, as it came. */
  take(id: string, payload: Uint8Array): void {
    const arrived = performance.now();
    let command: DeviceCommand;
    try {
      command = parseJson(deviceCommand, payload, COMMAND_LIMIT, `command ${id}`);
    } catch (error) {
      return this.#sayOnce(id, error);
    }
    const said = contentOf(command);
    const known = this.#options.notebook.find(id);
    const before = known?.said ?? this.#waiting.get(id);
    if (before !== undefined && before !== said) return this.#sayOnce(id, otherContent(id));
    if (known?.reply != null) return void this.#send(id, known.reply);
    if (before !== undefined) return;
    this.#waiting.set(id, said);
    const waiting = { id, command, said, until: arrived + patienceOf(command) };
    const turn = (signal: AbortSignal) => this.#turn(waiting, signal);
    // One that was called off before its turn comes again with the next connection.
    void (command.command === 'identify' ? turn(new AbortController().signal) : this.#turns.run(turn))
      .catch(() => undefined)
      .finally(() => this.#waiting.delete(id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns[Symbol.asyncDispose]();
  }

  async #turn(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const { notebook, log } = this.#options;
    const { id, command, said, until } = waiting;
    try {
      await notebook.begin(id, command, said);
    } catch (error) {
      // Without the note it could be done twice.
      return this.#sayOnce(id, error);
    }
    if (performance.now() >= until) return this.#answer(id, this.#refused(expired(command)));
    log(`command ${id}: ${command.command}`);
    try {
      const reply = await this.#carryOut(command, signal);
      if (reply !== null) await this.#answer(id, reply);
    } catch (error) {
      if (signal.aborted) return this.#answer(id, this.#refused(interrupted(command.command)));
      await this.#answer(id, this.#refused(error));
    }
  }

  /** Null where the program that begins next answers. */
  async #carryOut(command: DeviceCommand, signal: AbortSignal): Promise<DeviceReply | null> {
    const { deeds, tail } = this.#options;
    const done = { outcome: 'done', at: this.#options.now().toISOString() } as const;
    switch (command.command) {
      case 'restart':
      case 'reload':
        await deeds.end(command.command);
        // What waits is not noted, and comes again after the start.
        this.#turns.cancel();
        return null;
      case 'collect-logs':
        return { ...done, command: 'collect-logs', ...tail.last(command.lines, MESSAGE_LIMIT - ENVELOPE) };
      case 'benchmark': {
        const measured = await deeds.benchmark(command.seconds, signal);
        return { ...done, command: 'benchmark', ...measured, at: this.#options.now().toISOString() };
      }
      case 'identify':
        return { ...done, command: 'identify', by: await deeds.identify(command.seconds) };
    }
  }

  /** What a command comes to that was under way when the program before ended. */
  #afterwards(command: string): DeviceReply {
    const { agent, now, reloadFailed } = this.#options;
    if (command === 'reload' && reloadFailed !== null) return this.#refused(reloadFailed);
    if (command !== 'restart' && command !== 'reload') return this.#refused(interrupted(command));
    return { outcome: 'done', at: now().toISOString(), command, agent };
  }

  async #answer(id: string, reply: DeviceReply): Promise<void> {
    const { notebook, log } = this.#options;
    // A disk that is full keeps no answer from the hub; what it costs is one that says `interrupted` after a power cut.
    await notebook.answer(id, reply).catch((error: unknown) => log(`commands: ${explain(error)}`));
    void this.#send(id, reply);
  }

  async #send(id: string, reply: DeviceReply): Promise<void> {
    if (this.#sending.has(id)) return;
    this.#sending.add(id);
    try {
      await this.#options.publish(id, reply);
      await this.#options.notebook.acknowledge(id);
    } catch (error) {
      // It is on the disk, and goes out after the next start, or when the hub asks again.
      this.#options.log(`commands: the answer to ${id} did not arrive: ${explain(error)}`);
    } finally {
      this.#sending.delete(id);
    }
  }

  /** An answer that nothing stands behind: no command was noted. */
  #sayOnce(id: string, error: unknown): void {
    const { publish, log } = this.#options;
    log(`commands: ${explain(error)}`);
    publish(id, this.#refused(error)).catch((cause: unknown) => log(`commands: ${explain(cause)}`));
  }

  #refused(error: unknown): DeviceReply {
    const coded =
      error instanceof AdbreakError
        ? error
        : new AdbreakError('internal', `Cannot carry the command out: ${explain(error)}`, {
            remedy: "Look at the device's log, and report what stands there.",
          });
    return refusedBy(coded, this.#options.now());
  }
}

/** The same command comes again with another `sent`. */
function contentOf({ sent: _, ...asked }: DeviceCommand): string {
  return sha256(canonicalCommand(asked));
}

function otherContent(id: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot take command ${id}: another command has this name`, {
    remedy: 'Draw a new name for each command.',
  });
}
function expired({ command, deadline }: DeviceCommand): AdbreakError {
  return new AdbreakError(
    'command_expired',
    `Cannot ${command}: it waited longer for its turn than until its deadline, ${deadline}`,
  );
}
function interrupted(command: string): AdbreakError {
  return new AdbreakError(
    'command_interrupted',
    `Cannot say how far ${command} came: the program ended while it was under way`,
  );
}
