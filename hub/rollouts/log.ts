import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';
import type { z } from 'zod';
import type { RolloutEvent } from './events.js';

/** A reference of four weeks is the largest event: 672 histograms. */
export const EVENT_LIMIT = 4 * 1024 * 1024;

/** One append-only file for each rollout: what happened, in order. */
export class RolloutLog {
  readonly #folder: string;
  #last: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }
  path(id: string): string {
    return join(this.#folder, `${id}.jsonl`);
  }

  /** Appends in the order of the calls. */
  append(id: string, events: readonly RolloutEvent[]): Promise<void> {
    const path = this.path(id);
    const written = this.#last
      .catch(() => undefined)
      .then(async () => {
        await mkdir(this.#folder, { recursive: true });
        await appendFile(path, events.map((event) => `${JSON.stringify(event)}\n`).join(''), { mode: 0o600 });
      })
      .catch((cause: unknown) => {
        throw storageError(cause, path);
      });
    this.#last = written;
    return written;
  }
}

/** The events of a log, line by line; an error names the line. A last line that a power cut left unfinished is left out. */
export async function* readEvents<Event = RolloutEvent>(
  lines: AsyncIterable<string>,
  path: string,
  schema: z.ZodType<Event>,
): AsyncGenerator<Event> {
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
