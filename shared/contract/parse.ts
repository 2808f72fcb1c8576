import type { z } from 'zod';
import { AdbreakError, type ErrorCode } from '../errors.js';
import { sentenceOf } from './sentences.js';

const WORDS = { error: sentenceOf };

/**
 * Checks a value from outside against its schema; the error names the thing and the field. `remedy`: what to do
 * where the code's own is not to the point.
 */
export function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  what: string,
  code: ErrorCode = 'input_invalid',
  remedy?: string,
): T {
  const result = schema.safeParse(value, WORDS);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? '' : ` ${issue.path.join('.')}:`;
  throw new AdbreakError(
    code,
    `Cannot accept ${what}:${field} ${issue?.message ?? 'it does not fit its schema'}`,
    remedy === undefined ? {} : { remedy },
  );
}

/** Making one costs as much as parsing a report. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Parses JSON from outside, with its size checked first. */
export function parseJson<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array | string,
  limit: number,
  what: string,
  code: ErrorCode = 'input_invalid',
): T {
  if (bytes.length > limit)
    throw new AdbreakError(
      'input_too_large',
      `Cannot accept ${what}: ${bytes.length} bytes, at most ${limit}`,
    );
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === 'string' ? bytes : UTF8.decode(bytes));
  } catch (cause) {
    throw new AdbreakError(code, `Cannot accept ${what}: it is not JSON`, { cause });
  }
  return check(schema, value, what, code);
}
