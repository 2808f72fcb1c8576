import { utimes } from 'node:fs/promises';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import type { z } from 'zod';

/** Bytes of the facts: a history of a thousand epochs fits. */
const FACTS_LIMIT = 8 * 1024 * 1024;
const FILE_LIMIT = 2 ** 31;
/** A SHA-256 in hexadecimal, and a blank. */
const SEAL_BYTES = 65;

/** What is kept between runs: the SHA-256 of all that follows, facts in one line of JSON, then bytes. */
export interface Sealed<T> {
  readonly facts: T;
  readonly body: Uint8Array;
  /** Where in the file the body begins. */
  readonly at: number;
}

/** Writes whole or not at all, and says where in the file the body begins. Throws `disk_full`. */
export async function writeSealed(path: string, facts: object, body: Uint8Array): Promise<number> {
  const line = Buffer.from(`${JSON.stringify(facts)}\n`);
  const content = Buffer.concat([line, body]);
  await writeAtomic(path, Buffer.concat([Buffer.from(`${sha256(content)} `), content]));
  return SEAL_BYTES + line.byteLength;
}

/**
 * What was written, `missing` where there is nothing, `damaged` where it is not whole or not of this form. The
 * file's time becomes that of its last use.
 */
export async function readSealed<T>(
  path: string,
  schema: z.ZodType<T>,
): Promise<Sealed<T> | 'missing' | 'damaged'> {
  const file = await readLimited(path, FILE_LIMIT).catch((error: unknown) => {
    // Of what is never written so large nothing is looked at.
    if (hasCode(error, 'input_too_large')) return new Uint8Array(0);
    throw error;
  });
  if (file === undefined) return 'missing';
  const content = file.subarray(SEAL_BYTES);
  const end = content.subarray(0, FACTS_LIMIT).indexOf(10);
  const seal = new TextDecoder().decode(file.subarray(0, SEAL_BYTES));
  if (end === -1 || seal !== `${sha256(content)} `) return 'damaged';
  try {
    const facts = parseJson(schema, content.subarray(0, end), FACTS_LIMIT, path);
    const now = new Date();
    // Of a cache that this user may only read nothing is collected either.
    await utimes(path, now, now).catch(() => undefined);
    return { facts, body: content.subarray(end + 1), at: SEAL_BYTES + end + 1 };
  } catch (error) {
    if (error instanceof AdbreakError) return 'damaged';
    throw error;
  }
}

/** Numbers out of a body, copied: they need not lie at a multiple of four in it. */
export function floatsOf(body: Uint8Array, from = 0, to = body.byteLength): Float32Array<ArrayBuffer> {
  return new Float32Array(new Uint8Array(body.subarray(from, to)).buffer);
}

/** The bytes of numbers, without copying. */
export function bytesOf(numbers: Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
