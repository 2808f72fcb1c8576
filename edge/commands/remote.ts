import { join } from 'node:path';
import type { DeviceReply } from '@adbreak/shared/contract/device-commands.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { EdgeConfig } from '../config/config.js';
import type { Pair } from '../pipeline.js';
import { Beacon } from './beacon.js';
import { benchmark } from './benchmark.js';
import { Commands } from './commands.js';
import { Light } from './light.js';
import { LogTail } from './log-tail.js';
import { Notebook } from './notebook.js';

/** How an agent begins and ends at the hub's word. */
export interface Life {
  /** The configuration as it is by now; rejects with `input_invalid` where it is none. */
  readonly reread: () => Promise<EdgeConfig>;
  /** Why the configuration that was read again does not work, so that this agent begins with the one before. */
  readonly reloadFailed: AdbreakError | null;
}
/** What shall follow: a program that begins anew, or an agent with another configuration. */
export type Ending = { readonly how: 'restart' } | { readonly how: 'reload'; readonly config: EdgeConfig };

interface Parts {
  readonly config: Pick<EdgeConfig, 'state' | 'threads' | 'runtime'>;
  readonly agent: string;
  /** The models at work; null before the first. */
  readonly pair: () => Pair | null;
  readonly onTrial: () => boolean;
  /** Resolves with the hub's acknowledgement, and waits for a connection. */
  readonly publish: (id: string, reply: DeviceReply) => Promise<void>;
}

/** What the hub may ask of this device, over what the device has: its log, its page, its models, its end. */
export class Remote implements AsyncDisposable {
  /** The agent's log, of which the last lines are kept. */
  readonly log: (line: string) => void;
  /** What the hub asked for; whoever has started the agent ends it then, and begins what follows. */
  readonly ended: Promise<Ending>;
  readonly #life: Life;
  readonly #tail = new LogTail();
  readonly #beacon = new Beacon();
  readonly #light = new Light();
  #end: (ending: Ending) => void = () => undefined;
  #commands: Commands | null = null;

  constructor(write: (line: string) => void, life: Life) {
    this.#life = life;
    this.log = (line) => {
      this.#tail.add(line, new Date());
      write(line);
    };
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Whether the device was asked to show itself, and still does. */
  get showing(): boolean {
    return this.#beacon.isOn(performance.now());
  }

  /** From here on commands are taken. */
  async open(parts: Parts): Promise<void> {
    const { config, agent, publish } = parts;
    const { reread, reloadFailed } = this.#life;
    this.#commands = new Commands({
      notebook: await Notebook.open(join(config.state, 'commands'), this.log),
      tail: this.#tail,
      agent,
      reloadFailed,
      publish,
      now: () => new Date(),
      log: this.log,
      deeds: {
        end: async (how) => this.#end(how === 'restart' ? { how } : { how, config: await reread() }),
        benchmark: (seconds, signal) => measure(parts, seconds, signal),
        identify: async (seconds) => {
          this.#beacon.call(seconds, performance.now());
          const blinks = await this.#light.blink(seconds);
          this.log(`this device was asked to show itself, for ${seconds} s`);
          if (!blinks) this.log(`no light blinks: ${this.#light.why}`);
          return blinks ? ['led', 'page'] : ['page'];
        },
      },
    });
  }

  /** Answers what an agent before has begun, and what its hub has not acknowledged. */
  async begin(): Promise<void> {
    await this.#commands?.begin();
  }

  take(id: string, message: Uint8Array): void {
    this.#commands?.take(id, message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#light[Symbol.asyncDispose]();
    await this.#commands?.[Symbol.asyncDispose]();
  }
}

async function measure({ config, pair, onTrial }: Parts, seconds: number, signal: AbortSignal) {
  const now = pair();
  if (now === null || onTrial())
    throw new AdbreakError(
      'conflict',
      `Cannot benchmark: ${now === null ? 'no model is at work yet' : 'a new model is on trial'}`,
      { remedy: 'Ask again later: `adbreak devices list` says what is at work.' },
    );
  const { production, candidate, desired } = now;
  const acting = desired.serve === 'candidate' ? (candidate ?? production) : production;
  const { threads, runtime } = config;
  const pids = [process.pid, production.pid, candidate?.pid];
  return benchmark({ model: acting.model, threads, runtime, seconds, pids, signal });
}
