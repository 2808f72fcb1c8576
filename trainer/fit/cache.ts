import { readFile } from 'node:fs/promises';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';

/**
 * Part of every key: entries of another format are never looked at. Those of 0.1 (1) had no header and could be the
 * beginning of a recording whose extraction was interrupted, which nothing in them shows.
 */
export const CACHE_FORMAT = 2;

const HEADER_LIMIT = 200;
const header = z.strictObject({
  width: z.int().positive(),
  rows: z.int().nonnegative(),
  sha256: z.string().length(64),
});

/** Rows of features behind one line of JSON that says how many they are and what their bytes sum to. */
export async function writeRows(
  path: string,
  width: number,
  rows: readonly Float32Array[],
): Promise<Float32Array> {
  const short = rows.find((row) => row.length !== width);
  if (short !== undefined)
    throw new AdbreakError(
      'inference_failed',
      `Cannot keep features: a row must have ${width} numbers: current value is ${short.length}`,
    );
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, i) => all.set(row, i * width));
  const bytes = new Uint8Array(all.buffer);
  const facts: z.infer<typeof header> = { width, rows: rows.length, sha256: sha256(bytes) };
  await writeAtomic(path, Buffer.concat([Buffer.from(`${JSON.stringify(facts)}\n`), bytes]));
  return all;
}

/** The rows of an entry, or null where there is none that is whole: it is made anew then. */
export async function readRows(path: string, width: number): Promise<Float32Array | null> {
  const file = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  const end = file?.subarray(0, HEADER_LIMIT).indexOf('\n') ?? -1;
  if (file === null || end === -1) return null;
  const facts = headerOf(file.subarray(0, end), path);
  const bytes = Uint8Array.from(file.subarray(end + 1));
  const whole =
    facts !== null &&
    facts.width === width &&
    bytes.byteLength === facts.rows * width * 4 &&
    sha256(bytes) === facts.sha256;
  return whole ? new Float32Array(bytes.buffer) : null;
}

function headerOf(line: Uint8Array, path: string): z.infer<typeof header> | null {
  try {
    return parseJson(header, line, HEADER_LIMIT, path);
  } catch (error) {
    if (error instanceof AdbreakError) return null;
    throw error;
  }
}
