import { basename, resolve } from 'node:path';
import { type Recurrence, recurrenceSchema, type Spot } from '@adbreak/shared/contract/labelling.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { END_TOLERANCE } from './admit.js';
import type { Recording } from './library.js';
import { keyOf, type ScanRequest, SPOTS_LIMIT, scanSpots } from './scan-spots.js';

/** Airings under the ids of recordings. Those of files that are not here, or behind their end, are left out, and counted. */
export function withIds(
  { spots }: Recurrence,
  recordings: readonly Recording[],
): { readonly spots: readonly Spot[]; readonly unknown: number } {
  const ids = idsByName(recordings);
  const durations = new Map(recordings.map(({ id, facts }) => [id, facts?.duration ?? -END_TOLERANCE]));
  let unknown = 0;
  const known = spots.map((spot) => ({
    ...spot,
    airings: spot.airings.flatMap((airing) => {
      const id = ids.get(airing.recording) ?? ids.get(basename(airing.recording));
      const latest = (durations.get(id ?? '') ?? 0) + END_TOLERANCE;
      const isRight = typeof id === 'string' && airing.end > airing.start && airing.end <= latest;
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
  const bytes = await readLimited(path, SPOTS_LIMIT);
  if (bytes === undefined) throw new AdbreakError('not_found', `Cannot read spots: ${path} does not exist`);
  const found = parseJson(recurrenceSchema, bytes, SPOTS_LIMIT, path);
  const ids = found.spots.map(({ id }) => id);
  const last = new Map(ids.map((id, i) => [id, i]));
  const twice = ids.find((id, i) => last.get(id) !== i);
  if (twice === undefined) return found;
  throw new AdbreakError(
    'input_invalid',
    `Cannot read spots: ${path} has two with the id ${JSON.stringify(twice)}`,
  );
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
