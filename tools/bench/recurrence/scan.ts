import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Recurrence, recurrenceSchema } from '@adbreak/shared/contract/labelling.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';

export interface Scanned {
  readonly found: Recurrence;
  /** Seconds by the clock. */
  readonly wall: number;
  /** Seconds of processors that the command itself has used: ffmpeg's decoding is in processes of its own. */
  readonly own: number;
  /** Of the command itself, at its largest. */
  readonly peakMb: number;
}

const LIMIT = 1 << 26;
const LOOK_MS = 50;
/** Clock ticks in a second, in what the kernel tells. */
const TICKS = 100;
const BYTES_A_KILO = 1024;

/** Runs `command… RECORDINGS… --format json`. Throws `input_invalid` where it fails or what it writes is no answer. */
export async function scan(
  command: readonly string[],
  files: readonly string[],
  signal?: AbortSignal,
): Promise<Scanned> {
  const [program = 'node', ...first] = command;
  const started = process.hrtime.bigint();
  const child = spawn(program, [...first, ...files, '--format', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  });
  const usage = watched(child.pid);
  const out: Buffer[] = [];
  let words = '';
  child.stdout.on('data', (data: Buffer) => void out.push(data));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  try {
    const [code, ending] = await once(child, 'close');
    if (code !== 0)
      throw new AdbreakError(
        'input_invalid',
        `Cannot score: ${command.join(' ')}: ${words || (code ?? ending)}`,
      );
  } finally {
    usage.stop();
  }
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  const found = parseJson(recurrenceSchema, Buffer.concat(out), LIMIT, `what ${command.join(' ')} writes`);
  return { found, wall, ...usage.last() };
}

/** Looks at a process again and again until told to stop. */
function watched(pid: number | undefined) {
  let last = { own: 0, peakMb: 0 };
  const look = () => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
        .map(Number);
      const [, kilo = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      last = { own: ((fields[11] ?? 0) + (fields[12] ?? 0)) / TICKS, peakMb: Number(kilo) / BYTES_A_KILO };
    } catch (error) {
      // It has ended; what it used until the last look is known.
      if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ESRCH') throw error;
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return { stop: () => clearInterval(timer), last: () => last };
}

/** Seconds that ffmpeg alone needs to decode the files on one core: what no scan can be without. */
export async function decoding(files: readonly string[], signal?: AbortSignal): Promise<number> {
  const started = process.hrtime.bigint();
  for (const file of files)
    await runFfmpeg(
      { args: ['-threads', '1', '-i', `file:${file}`, '-f', 'null', '-'], output: file },
      signal,
    );
  return Number(process.hrtime.bigint() - started) / 1e9;
}
