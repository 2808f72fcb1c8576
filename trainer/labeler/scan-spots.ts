import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { recurrenceSchema } from '@adbreak/shared/contract/labelling.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import type { Recording } from './library.js';

/** A month of recordings with thousands of airings. */
export const SPOTS_LIMIT = 64 * 1024 * 1024;
const WORDS = 16_000;
const NICE = 10;
/** Files in one command line. */
const MOST_FILES = 5000;

export interface ScanRequest {
  readonly recordings: readonly Recording[];
  /** The program that scans; a path. */
  readonly program: string;
  /** Results are kept below it, by what was scanned and by which version. */
  readonly folder: string;
  /** Of Adbreak: another one may find other things. */
  readonly version: string;
  /** Files that one scan takes. */
  readonly most?: number;
}

/** With what the scan said of recordings that it could not read. */
const scannedSchema = recurrenceSchema.extend({ problems: z.array(z.string().max(WORDS)).max(WORDS) });
type Scanned = z.infer<typeof scannedSchema>;

/**
 * What repeats in these recordings, found by a process of its own, or kept from the last time. Null where the program is
 * not there. Throws `video_unreadable` with the last words of a scan without an answer, and as the answer is read.
 */
export async function scanSpots(
  { recordings, program, folder, version, most = MOST_FILES }: ScanRequest,
  signal: AbortSignal,
): Promise<Scanned | null> {
  if (!(await exists(program))) return null;
  const taken = recordings.slice(0, most);
  const kept = join(folder, `spots-${keyOf(taken, version)}.json`);
  const before = await readJson(scannedSchema, kept, SPOTS_LIMIT).catch(() => undefined);
  const result = before ?? (await scan(taken, program, signal));
  if (before === undefined) await writeAtomic(kept, JSON.stringify(result));
  const left = recordings.length - taken.length;
  if (left === 0) return result;
  const words = `${left} of ${recordings.length} recordings are left out of the search for what repeats: it takes ${most}`;
  return { ...result, problems: [words, ...result.problems] };
}

/** Names an answer: by what was scanned, in which order, by which version. */
export function keyOf(recordings: readonly Recording[], version: string): string {
  return sha256(JSON.stringify([version, ...recordings.map(({ id }) => id)])).slice(0, 16);
}

async function scan(
  recordings: readonly Recording[],
  program: string,
  signal: AbortSignal,
): Promise<Scanned> {
  const files = recordings.map(({ path }) => resolve(path));
  const { spots, problems } = await run([program, 'scan', ...files, '--format', 'json'], signal);
  // By id: the same recordings may lie elsewhere the next time.
  const ids = new Map(recordings.map(({ path, id }) => [resolve(path), id]));
  const named = (name: string) => ids.get(resolve(name)) ?? name;
  return {
    spots: spots.map((spot) => ({
      ...spot,
      airings: spot.airings.map((airing) => ({ ...airing, recording: named(airing.recording) })),
    })),
    problems,
  };
}

/** Its code is 1 where it could not read some of them: what it found in the others counts. */
async function run(args: readonly string[], signal: AbortSignal): Promise<Scanned> {
  const { code, out, words } = await outputOf(args, signal);
  const answer = code === 0 || (code === 1 && out.length > 0);
  if (!answer)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot find what repeats: ${words.slice(-3).join('; ') || `the scan ended with ${code}`}`,
    );
  const found = parseJson(recurrenceSchema, out, SPOTS_LIMIT, 'what the scan found');
  // Not how far it was when: the errors, each with what to do.
  return {
    ...found,
    problems: code === 0 ? [] : words.filter((line) => /^(error|\s+what to do)/.test(line)),
  };
}

interface Output {
  readonly code: unknown;
  readonly out: Buffer;
  /** The last lines that it said. */
  readonly words: string[];
}

/** Runs a script to its end, also when it is called off: two scans are not to share the machine. */
async function outputOf(args: readonly string[], signal: AbortSignal): Promise<Output> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const failed = new Promise<unknown>((settle) => child.once('error', settle));
  const closed = new Promise<unknown>((settle) => child.once('close', settle));
  if (child.pid !== undefined) setPriority(child.pid, NICE);
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    words = (words + more).slice(-WORDS);
  });
  const pieces: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= SPOTS_LIMIT) pieces.push(piece);
    else child.kill('SIGKILL');
  });
  const code = child.pid === undefined ? await failed : await closed;
  signal.throwIfAborted();
  if (child.pid === undefined) throw code;
  if (bytes > SPOTS_LIMIT)
    throw new AdbreakError('input_too_large', `Cannot take what repeats: more than ${SPOTS_LIMIT} bytes`);
  const lines = words.split('\n').filter((line) => line.trim() !== '');
  return { code, out: Buffer.concat(pieces), words: lines };
}
