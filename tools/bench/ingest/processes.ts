import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { parentBinding } from '@adbreak/shared/video/parent-binding.js';

/**
 * Processes that the benchmark measures: started, watched from outside by proc(5), and ended in every case.
 */
const STOP_MS = 60_000;
/** USER_HZ of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Whatever is opened, to be closed in reverse. */
export type Hold = (opened: AsyncDisposable) => void;

/** Ends with this process, however this one ends. */
export class Server implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #name: string;
  #words = '';

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#words = (this.#words + text).slice(-4000);
      });
    // A program that is not there: `ended` tells.
    child.on('error', (error) => {
      this.#words += `\n${error.message}`;
    });
  }

  static async start(name: string, command: readonly string[], hold: Hold): Promise<Server> {
    const [program = '', ...args] = [...(await parentBinding()), ...command];
    const server = new Server(name, spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }));
    hold(server);
    return server;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }
  get ended(): boolean {
    return this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }
  /** Rejects when it ends, with what it said last. */
  async failure(): Promise<never> {
    if (!this.ended) await once(this.child, 'exit');
    throw new Error(`${this.#name} ended: ${this.#words.trim().split('\n').slice(-4).join(' ')}`);
  }

  /** Asked to end, as a service manager does: what it keeps is kept. */
  async stop(): Promise<void> {
    if (this.ended) return this.failure();
    const exit = once(this.child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    this.child.kill('SIGTERM');
    await exit.catch((cause: unknown) => {
      throw new Error(`${this.#name} did not end within ${STOP_MS / 1000} s of SIGTERM`, { cause });
    });
  }

  /** At once: nobody reads what it leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}

/**
 * Seconds of processor time that a process has used, on all its threads: fields 14 and 15 of /proc/PID/stat.
 */
export async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory, MiB. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Throws where this process may not open as many files, connections among them, as the fleet needs. */
export async function requireFiles(needed: number): Promise<void> {
  const soft = Number(
    /^Max open files\s+(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8'))?.[1] ??
      Number.POSITIVE_INFINITY,
  );
  if (soft < needed)
    throw new RangeError(
      `Cannot run the benchmark: it needs ${needed} open files, and this user may open ${soft}: raise \`ulimit -n\`, or name fewer DEVICES=`,
    );
}
