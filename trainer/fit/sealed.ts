import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';

/** Bytes of the first line: a history of a thousand epochs fits. */
const HEADER_LIMIT = 8 * 1024 * 1024;
const FILE_LIMIT = 2 ** 31;

/** What is kept between runs: facts in one line of JSON, then bytes; the facts say what the bytes sum to. */
export interface Sealed<T> {
  readonly facts: T;
  readonly body: Uint8Array;
  /** Where in the file the body begins. */
  readonly at: number;
}

/** Writes whole or not at all, and says where in the file the body begins. Throws `disk_full`. */
export async function writeSealed(path: string, facts: object, body: Uint8Array): Promise<number> {
  const line = Buffer.from(`${JSON.stringify({ facts, sha256: sha256(body) })}\n`);
  await writeAtomic(path, Buffer.concat([line, body]));
  return line.byteLength;
}

/**
 * What was written, `missing` where there is nothing, `damaged` where it is not whole or not of this form.
 */
export async function readSealed<T>(
  path: string,
  schema: z.ZodType<T>,
): Promise<Sealed<T> | 'missing' | 'damaged'> {
  const file = await readLimited(path, FILE_LIMIT);
  if (file === undefined) return 'missing';
  const end = file.subarray(0, HEADER_LIMIT).indexOf(10);
  if (end === -1) return 'damaged';
  const body = file.subarray(end + 1);
  try {
    const line = z.strictObject({ facts: schema, sha256: z.string().length(64) });
    const { facts, sha256: sum } = parseJson(line, file.subarray(0, end), HEADER_LIMIT, path);
    return sha256(body) === sum ? { facts, body, at: end + 1 } : 'damaged';
  } catch (error) {
    if (error instanceof AdbreakError) return 'damaged';
    throw error;
  }
}

/** Numbers out of a body, copied: they need not lie at a multiple of four in it. */
export function floatsOf(body: Uint8Array, from = 0, to = body.byteLength): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint8Array.from(body.subarray(from, to)).buffer);
}

/** The bytes of numbers, without copying. */
export function bytesOf(numbers: Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
