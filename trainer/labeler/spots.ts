import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Recurrence, recurrenceSchema, type Spot } from '@adbreak/shared/contract/labelling.js';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { exists, readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import type { Recording } from './library.js';

/** A month of recordings with thousands of airings. */
const LIMIT = 64 * 1024 * 1024;
const WORDS = 4000;
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
  /** Results are kept below it, by what was scanned. */
  readonly folder: string;
}

/** What repeats in these recordings, found by a process of its own, or kept from the last time. Null where the program is not there. */
export async function scanSpots(
  { recordings, program, folder }: ScanRequest,
  signal: AbortSignal,
): Promise<Recurrence | null> {
  if (!(await exists(program))) return null;
  const kept = join(
    folder,
    `spots-${sha256(JSON.stringify(recordings.map(({ id }) => id))).slice(0, 16)}.json`,
  );
  const before = await readJson(recurrenceSchema, kept, LIMIT).catch(() => undefined);
  if (before !== undefined) return before;
  const files = recordings.slice(0, MOST_FILES).map(({ path }) => resolve(path));
  const found = await run([program, 'scan', ...files, '--format', 'json'], signal);
  // By id: the same recordings may lie elsewhere the next time.
  const ids = new Map(recordings.map(({ path, id }) => [resolve(path), id]));
  const named = (name: string) => ids.get(resolve(name)) ?? name;
  const result = {
    spots: found.spots.map((spot) => ({
      ...spot,
      airings: spot.airings.map((airing) => ({ ...airing, recording: named(airing.recording) })),
    })),
  };
  await writeAtomic(kept, JSON.stringify(result));
  return result;
}

async function run(args: readonly string[], signal: AbortSignal): Promise<Recurrence> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const ended = once(child, 'close');
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
  const [code] = await ended;
  if (bytes > LIMIT)
    throw new AdbreakError('input_too_large', `Cannot take what repeats: more than ${LIMIT} bytes`);
  if (code !== 0)
    throw new AdbreakError(
      'video_unreadable',
      `Cannot find what repeats: ${words.trim().split('\n').slice(-3).join('; ') || `the scan ended with ${code}`}`,
    );
  return parseJson(recurrenceSchema, Buffer.concat(pieces), LIMIT, 'what the scan found');
}

type State = 'none' | 'running' | 'ready' | 'failed';
interface SpotsOptions extends Pick<ScanRequest, 'program' | 'folder'> {
  /** A file to read in place of a scan. */
  readonly file: string | undefined;
  readonly say: (line: string) => void;
  readonly onChange: () => void;
}

/** What repeats: read once, or found in the background whenever there are other recordings. */
export class Spots implements AsyncDisposable {
  readonly #options: SpotsOptions;
  readonly #end = new AbortController();
  #found: Recurrence = check(recurrenceSchema, { spots: [] }, 'no spots');
  #working: Promise<void> = Promise.resolve();
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

  /** There are other recordings than before. */
  scan(recordings: readonly Recording[]): void {
    const readable = recordings.filter(({ facts }) => facts !== null);
    if (this.#options.file !== undefined) return this.#sayUnknown(recordings);
    if (readable.length === 0) return;
    this.#working = this.#working.then(() => this.#scan(readable));
  }

  #sayUnknown(recordings: readonly Recording[]): void {
    const { unknown } = withIds(this.#found, recordings);
    if (unknown > 0)
      this.#options.say(`${this.#options.file}: ${unknown} airings are of recordings that are not here`);
  }

  async #scan(recordings: readonly Recording[]): Promise<void> {
    if (this.#end.signal.aborted) return;
    try {
      this.#set('running');
      const found = await scanSpots({ recordings, ...this.#options }, this.#end.signal);
      this.#found = found ?? this.#found;
      this.#set(found === null ? 'none' : 'ready');
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#options.say(explain(error));
      this.#set('failed');
    }
  }

  #set(state: State): void {
    this.state = state;
    this.#options.onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working;
  }
}
