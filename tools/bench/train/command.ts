import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parentBinding } from '@adbreak/shared/video/parent-binding.js';

export interface Ended {
  /** From the start of the process to its end. */
  readonly seconds: number;
  /** Of processor time, with what it started. */
  readonly cpuSeconds: number;
  readonly lines: readonly string[];
}
export interface Told {
  /** Each line as it comes, of both streams. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

/** Lines kept to say why a program failed. */
const LAST_WORDS = 12;
/** USER_HZ of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Runs a program to its end and gives the lines of its standard output. It ends with this process. Throws
 * with its last words where it fails, and an AbortError with the signal.
 */
export async function timed(command: readonly string[], { say, signal, env }: Told): Promise<Ended> {
  const [program = '', ...args] = [...(await parentBinding()), ...command];
  const [started, before] = [performance.now(), await childrenCpuSeconds()];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  const words: string[] = [];
  const hear = (line: string) => {
    words.push(line);
    if (words.length > LAST_WORDS) words.shift();
    say(line);
  };
  createInterface({ input: child.stderr }).on('line', hear);
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    hear(line);
  });
  const [code, by] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code ?? by}:\n${words.join('\n')}`);
  const seconds = (performance.now() - started) / 1000;
  return { seconds, cpuSeconds: (await childrenCpuSeconds()) - before, lines };
}

/** Of all children that have ended: fields 16 and 17 of /proc/self/stat, proc(5). */
async function childrenCpuSeconds(): Promise<number> {
  const fields = (await readFile('/proc/self/stat', 'utf8')).replace(/^.*\) /s, '').split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** The last line of a program, which is JSON. */
export function lastLine({ lines }: Ended): unknown {
  return JSON.parse(lines.at(-1) ?? '');
}
