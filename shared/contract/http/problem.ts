import { z } from 'zod';
import { type AdbreakError, ERROR_CODES } from '../../errors.js';

export const PROBLEM_TYPE = 'application/problem+json';
/** The hub's own page that says what each code means (shared/contract/http/hub.ts). */
const EXPLAINED = '/api/v1/reference';

/** A refusal or a fault: a problem document (RFC 9457), which may be extended (section 3.2). */
export const problem = z.looseObject({
  /** Where the code is explained, on the hub that answers. */
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  /** What is wrong, with which thing. */
  detail: z.string(),
  code: z.string(),
  /** What to do about it. */
  remedy: z.string(),
  /** The request, as the hub's log names it. */
  request: z.string(),
  /** The same as `code` and `detail`, for who reads answers as they were before. */
  error: z.string(),
  message: z.string(),
});
export type Problem = z.infer<typeof problem>;

/** What a caller hears of an error; `request` is the id under which the hub's log has it. */
export function problemOf({ code, message, remedy }: AdbreakError, request: string): Problem {
  return {
    type: `${EXPLAINED}#${code}`,
    title: titleOf(code),
    status: ERROR_CODES[code].status,
    detail: message,
    code,
    remedy,
    request,
    error: code,
    message,
  };
}

/** `too_many_requests`: Too many requests. */
export function titleOf(code: string): string {
  const words = code.replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
