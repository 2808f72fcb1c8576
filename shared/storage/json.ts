import { rename } from 'node:fs/promises';
import type { z } from 'zod';
import { parseJson } from '../contract/parse.js';
import { type ErrorCode, explain } from '../errors.js';
import { readLimited } from './atomic.js';

/** A file of JSON against its schema, its size looked at first; undefined where it does not exist. */
export async function readJson<T>(
  schema: z.ZodType<T>,
  path: string,
  limit: number,
  code: ErrorCode = 'state_corrupt',
): Promise<T | undefined> {
  const bytes = await readLimited(path, limit);
  return bytes === undefined ? undefined : parseJson(schema, bytes, limit, path, code);
}

/** Frees the place of a damaged file, which stays beside it as PATH.damaged for whoever wants to know. The log hears why, and `then`: what happens without it. */
export async function setAside(
  path: string,
  error: unknown,
  then: string,
  log: (line: string) => void,
): Promise<void> {
  log(`${explain(error)}; it is kept as ${path}.damaged, and ${then}`);
  await rename(path, `${path}.damaged`).catch((cause: unknown) => log(explain(cause)));
}
