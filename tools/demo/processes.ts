import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FILES = {
  hub: 'hub/dist/cli/main.js',
  agent: 'edge/dist/main.js',
  trainer: 'trainer/dist/main.js',
} as const;
const START_TIMEOUT_MS = 60_000;
/** A part that has not ended by then, asked to, is ended. A person who pressed Ctrl-C waits for it. */
const END_TIMEOUT_MS = 1500;
/** What systemd sets on a Pi too: small heaps for a long-running process. */
const AGENT_FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=2'];

/** Runs a trainer command to its end, handing its lines on. Throws its last words when it fails, and ends it with the signal. */
export async function trainer(
  args: readonly string[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [`${ROOT}${FILES.trainer}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) say(line);
  });
  const [code] = await once(child, 'close');
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code !== 0)
    throw new AdbreakError(
      'training_failed',
      `adbreak ${args.slice(0, 2).join(' ')} failed: ${words.trim().split('\n').slice(-3).join(' ')}`,
    );
}

/** A long-running part of the demo; its output goes to a file, its first message to who starts it. */
export class Part implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly log: string;
  #ending: Promise<void> | undefined;
  private constructor(child: ChildProcess, log: string) {
    this.child = child;
    this.log = log;
  }

  /** `parts` holds it from its first moment on: whoever disposes of them must not miss one that is still starting. */
  static async start(
    kind: 'hub' | 'agent',
    args: readonly string[],
    log: string,
    parts: Part[],
  ): Promise<Record<string, unknown>> {
    const child = fork(`${ROOT}${FILES[kind]}`, [...args, '--log', 'text'], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: kind === 'agent' ? AGENT_FLAGS : [],
    });
    const file = createWriteStream(log);
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    parts.push(new Part(child, log));
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const hello = await Promise.race([
      once(child, 'message', { signal: timeout }),
      once(child, 'exit', { signal: timeout }).then(() => null),
    ]);
    if (hello !== null) return typeof hello[0] === 'object' ? { ...hello[0] } : {};
    throw new AdbreakError(
      'conflict',
      `Cannot start ${kind}: ${(await readFile(log, 'utf8')).trim().split('\n').slice(-3).join(' ')}`,
    );
  }

  /** Asked more than once it asks the part once: a second SIGTERM would cut its good end short. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const giveUp = setTimeout(() => this.child.kill('SIGKILL'), END_TIMEOUT_MS);
    await ended;
    clearTimeout(giveUp);
  }
}
