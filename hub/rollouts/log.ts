import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { AppendFile } from '@adbreak/shared/storage/append.js';
import { z } from 'zod';
import { type RolloutEvent, rolloutEvent } from './events.js';
import { ROLLOUT_ID } from './rollout.js';

/** A reference of four weeks is the largest event: 672 histograms. */
export const EVENT_LIMIT = 4 * 1024 * 1024;
const SUFFIX = '.jsonl';

/** One append-only file for each rollout: what happened, in order. Each is written by one caller at a time. */
export class RolloutLog {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #files = new Map<string, Promise<AppendFile>>();

  /** @param say hears of torn lines that were mended */
  constructor(folder: string, say: (line: string) => void = () => undefined) {
    this.#folder = folder;
    this.#say = say;
  }
  path(id: string): string {
    return join(this.#folder, `${id}${SUFFIX}`);
  }

  /** The rollouts that have a log. */
  async ids(): Promise<string[]> {
    try {
      const names = await readdir(this.#folder);
      return names
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length))
        .filter((id) => ROLLOUT_ID.test(id))
        .sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Bytes of whole lines, after a torn last one was cut off. */
  async length(id: string): Promise<number> {
    return (await this.#file(id)).length;
  }

  /** When its rollout began; null where the log does not say, and whoever reads all of it hears why. */
  async startedAt(id: string): Promise<string | null> {
    const first = await firstLine(this.path(id));
    const form = startForm.safeParse(readJson(first ?? ''));
    return form.success ? (form.data.at ?? null) : null;
  }

  /** Appends and syncs; the log's new length. Each line is read back first: what no schema takes would close the log for ever. */
  async append(id: string, events: readonly RolloutEvent[]): Promise<number> {
    const file = await this.#file(id);
    const lines = events.map((event) => JSON.stringify(event));
    for (const line of lines) parseJson(rolloutEvent, line, EVENT_LIMIT, `an event of rollout ${id}`);
    return file.append(lines.map((line) => `${line}\n`).join(''));
  }

  /** The events after a position that `append` or `length` gave. */
  read(id: string, from: number): AsyncGenerator<RolloutEvent> {
    const path = this.path(id);
    return readEvents(createInterface({ input: createReadStream(path, { start: from }), crlfDelay: Infinity }), `${path} after byte ${from}`, rolloutEvent);
  }

  #file(id: string): Promise<AppendFile> {
    const known = this.#files.get(id);
    if (known !== undefined) return known;
    const opened = AppendFile.open(this.path(id)).then((file) => {
      if (file.cut > 0) this.#say(`${file.path}: its last line was not finished; ${file.cut} bytes are cut off`);
      return file;
    });
    this.#files.set(id, opened);
    // A file that could not be opened is tried again by the next caller; this one hears why.
    opened.catch(() => this.#files.delete(id));
    return opened;
  }
}

const startForm = z.object({ kind: z.literal('started'), at: z.iso.datetime().optional().catch(undefined), gate: z.unknown().optional() });
function readJson(line: string): unknown {
  try {
    return parseJson(z.unknown(), line, EVENT_LIMIT, 'the first line');
  } catch {
    return null; // The reader of the log says what is wrong with it, by line.
  }
}

async function firstLine(path: string): Promise<string | null> {
  const file = createReadStream(path);
  try {
    for await (const line of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY })) if (line.trim() !== '') return line;
    return null;
  } finally {
    file.destroy();
  }
}

/** Logs of the first gate begin without the number of a gate; they are audited by that gate, and go on under none. */
export async function isOfFirstGate(path: string): Promise<boolean> {
  // Parsed for good by whoever reads on; here only which of the two forms it is, however a hand has spaced it.
  const form = startForm.safeParse(readJson((await firstLine(path)) ?? ''));
  return form.success && form.data.gate === undefined;
}

/** The events of a log, line by line; an error names the line. A last line that a power cut left unfinished is left out. */
export async function* readEvents<Event = RolloutEvent>(lines: AsyncIterable<string>, path: string, schema: z.ZodType<Event>): AsyncGenerator<Event> {
  let number = 0;
  let broken: unknown = null;
  for await (const line of lines) {
    if (broken !== null) throw broken;
    number += 1;
    if (line.trim() === '') continue;
    try {
      yield parseJson(schema, line, EVENT_LIMIT, `line ${number} of ${path}`);
    } catch (error) {
      if (!(error instanceof AdbreakError) || !/it is not JSON/.test(error.message)) throw error;
      broken = error;
    }
  }
}
