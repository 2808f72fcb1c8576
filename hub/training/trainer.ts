import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type TrainerWord, trainerWord } from '@adbreak/shared/contract/training.js';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { parentBinding } from '@adbreak/shared/video/parent-binding.js';
import { LINE_LIMIT } from './job.js';

/** The trainer's program beside this hub, where it is installed. */
export const TRAINER = fileURLToPath(new URL('../../../trainer/dist/main.js', import.meta.url));
/** The trainer yields to whatever else wants the processor: nice(1). */
const NICE = '10';
/** What of the hub's surroundings a trainer gets: no token, no password of a database or a tracker. */
const VARIABLES = [
  ...['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH', 'XDG_CACHE_HOME'],
  ...['ADBREAK_WEIGHTS', 'ADBREAK_LITERT'],
];

/** How a trainer ended: with a code, or by a signal. */
export interface TrainerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}
interface Listener {
  readonly line: (line: string) => void;
  readonly word: (word: TrainerWord) => void;
}

/** `adbreak train` as a process at low priority, which the kernel ends with the hub. */
export class Trainer {
  readonly ended: Promise<TrainerEnd>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { line, word }: Listener) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) tellLines(stream, line);
    child.on('message', (message) => {
      const read = trainerWord.safeParse(message);
      if (read.success) word(read.data);
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      // After the last of its output.
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    // Whoever waits for it hears of it; until then it is nobody's.
    this.ended.catch(() => undefined);
  }

  /** Throws `trainer_missing` where there is none at `path`. */
  static async start(path: string, args: readonly string[], listener: Listener): Promise<Trainer> {
    await refuseMissing(path);
    const [program = '', ...before] = [...(await parentBinding()), 'nice', '-n', NICE, process.execPath];
    const env = Object.fromEntries(
      VARIABLES.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
    const child = spawn(program, [...before, path, 'train', '--for-hub', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return new Trainer(child, listener);
  }

  /** Asks it to keep what it has learnt and to end; what is there after `graceMs` is killed. Resolves once it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGINT');
    const over = new AbortController();
    const { signal } = over;
    const late = sleep(graceMs, undefined, { signal }).then(
      () => void this.#child.kill('SIGKILL'),
      () => undefined,
    );
    await this.ended.catch(() => undefined);
    over.abort();
    await late;
  }
}

/** Whole lines, cut off at what a log takes of one; what ends without a line's end is one too. */
function tellLines(stream: Readable, line: (line: string) => void): void {
  let rest = '';
  const tell = (text: string) => line(printable(text).slice(0, LINE_LIMIT));
  stream.setEncoding('utf8').on('data', (text: string) => {
    const [first = '', ...others] = text.split('\n');
    const whole = [rest + first, ...others];
    rest = (whole.pop() ?? '').slice(0, LINE_LIMIT);
    for (const one of whole) tell(one);
  });
  stream.on('end', () => {
    if (rest !== '') tell(rest);
  });
}

/** Throws `trainer_missing`. */
export async function refuseMissing(path: string): Promise<void> {
  if (await exists(path)) return;
  throw new AdbreakError('trainer_missing', `Cannot train: this hub has no trainer; there is no ${path}`);
}
