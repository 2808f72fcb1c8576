import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Recurrence, recurrenceSchema, type Spot } from '@adbreak/shared/contract/labelling.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { exists, readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import type { Recording } from './library.js';

/** A month of recordings with thousands of airings. */
const LIMIT = 64 * 1024 * 1024;
const WORDS = 16_000;
const NICE = 10;
/** Files in one command line. */
const MOST_FILES = 5000;

/** Airings under the ids of recordings. Those of files that are not here are left out, and counted. */
export function withIds(
  { spots }: Recurrence,
  recordings: readonly Recording[],
): { readonly spots: readonly Spot[]; readonly unknown: number } {
  const ids = idsByName(recordings);
  let unknown = 0;
  const known = spots.map((spot) => ({
    ...spot,
    airings: spot.airings.flatMap((airing) => {
      const id = ids.get(airing.recording) ?? ids.get(basename(airing.recording));
      const isRight = typeof id === 'string' && airing.end > airing.start;
      if (!isRight) unknown += 1;
      return isRight ? [{ ...airing, recording: id }] : [];
    }),
  }));
  return { spots: known.filter(({ airings }) => airings.length > 0), unknown };
}

/** By path as it was given, by name below the folder, and by the last part of it where no other has the same. */
function idsByName(recordings: readonly Recording[]): ReadonlyMap<string, string | null> {
  const ids = new Map<string, string | null>();
  for (const { id, name, aliases, path } of recordings) {
    for (const own of [name, ...aliases]) {
      const last = basename(own);
      ids.set(last, ids.has(last) && ids.get(last) !== id ? null : id);
    }
    for (const own of [id, path, resolve(path)]) ids.set(own, id);
  }
  for (const { id, name, aliases } of recordings) for (const own of [name, ...aliases]) ids.set(own, id);
  return ids;
}

/** A file of `adbreak recurrence scan --format json`. Throws `not_found`, `input_invalid`, `input_too_large`. */
export async function readSpots(path: string): Promise<Recurrence> {
  const bytes = await readLimited(path, LIMIT);
  if (bytes === undefined) throw new AdbreakError('not_found', `Cannot read spots: ${path} does not exist`);
  return parseJson(recurrenceSchema, bytes, LIMIT, path);
}

interface ScanRequest {
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
  const before = await readJson(scannedSchema, kept, LIMIT).catch(() => undefined);
  const result = before ?? (await scan(taken, program, signal));
  if (before === undefined) await writeAtomic(kept, JSON.stringify(result));
  const left = recordings.length - taken.length;
  if (left === 0) return result;
  const words = `${left} of ${recordings.length} recordings are left out of the search for what repeats: it takes ${most}`;
  return { ...result, problems: [words, ...result.problems] };
}

function keyOf(recordings: readonly Recording[], version: string): string {
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
  const found = parseJson(recurrenceSchema, out, LIMIT, 'what the scan found');
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
    if (bytes <= LIMIT) pieces.push(piece);
    else child.kill('SIGKILL');
  });
  const code = child.pid === undefined ? await failed : await closed;
  signal.throwIfAborted();
  if (child.pid === undefined) throw code;
  if (bytes > LIMIT)
    throw new AdbreakError('input_too_large', `Cannot take what repeats: more than ${LIMIT} bytes`);
  const lines = words.split('\n').filter((line) => line.trim() !== '');
  return { code, out: Buffer.concat(pieces), words: lines };
}

type State = 'none' | 'running' | 'ready' | 'failed';
interface SpotsOptions extends Pick<ScanRequest, 'program' | 'folder' | 'version'> {
  /** A file to read in place of a scan. */
  readonly file: string | undefined;
  readonly say: (line: string) => void;
  readonly onChange: () => void;
}

/** What repeats: read once, or found in the background whenever there are other recordings. */
export class Spots implements AsyncDisposable {
  readonly #options: SpotsOptions;
  readonly #scans = new SerialRunner();
  #found: Recurrence = { spots: [] };
  /** What was asked for last. */
  #wanted = '';
  state: State = 'none';

  constructor(options: SpotsOptions) {
    this.#options = options;
  }

  /** Throws as `readSpots` does. */
  static async open(options: SpotsOptions): Promise<Spots> {
    const spots = new Spots(options);
    if (options.file === undefined) return spots;
    spots.#found = await readSpots(options.file);
    spots.state = 'ready';
    return spots;
  }

  of(recordings: readonly Recording[]): readonly Spot[] {
    return withIds(this.#found, recordings).spots;
  }

  /** There may be other recordings than before: a scan of fewer is called off, and of lists that come meanwhile the last counts. */
  scan(recordings: readonly Recording[]): void {
    const readable = recordings.filter(({ facts }) => facts !== null);
    if (this.#options.file !== undefined) return this.#sayUnknown(recordings);
    const wanted = keyOf(readable, this.#options.version);
    if (readable.length === 0 || wanted === this.#wanted) return;
    this.#wanted = wanted;
    // It rejects only where it was called off before it began.
    this.#scans.preempt((signal) => this.#scan(readable, signal)).catch(() => undefined);
  }

  #sayUnknown(recordings: readonly Recording[]): void {
    const { unknown } = withIds(this.#found, recordings);
    if (unknown > 0)
      this.#options.say(`${this.#options.file}: ${unknown} airings are of recordings that are not here`);
  }

  async #scan(recordings: readonly Recording[], signal: AbortSignal): Promise<void> {
    try {
      this.#set('running');
      const found = await scanSpots({ recordings, ...this.#options }, signal);
      for (const problem of found?.problems ?? []) this.#options.say(problem);
      this.#found = found ?? this.#found;
      this.#set(found === null ? 'none' : 'ready');
    } catch (error) {
      if (signal.aborted) return;
      this.#wanted = '';
      this.#options.say(explain(error));
      this.#set('failed');
    }
  }

  #set(state: State): void {
    this.state = state;
    this.#options.onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scans[Symbol.asyncDispose]();
  }
}
