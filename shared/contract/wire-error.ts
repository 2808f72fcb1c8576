import { AdbreakError, ERROR_CODES, type ErrorCode } from '../errors.js';

/** The coded error in the body of a hub's answer, `{error, message, remedy}`; null where there is none. */
export function errorInAnswer(body: unknown): AdbreakError | null {
  if (typeof body !== 'object' || body === null || !('error' in body) || !('message' in body)) return null;
  if (typeof body.error !== 'string' || !isErrorCode(body.error)) return null;
  return new AdbreakError(
    body.error,
    String(body.message),
    'remedy' in body && typeof body.remedy === 'string' ? { remedy: body.remedy } : {},
  );
}

/** The same; `hub_unreachable` where there is none. */
export function errorFromAnswer(body: unknown, status: number): AdbreakError {
  return errorInAnswer(body) ?? new AdbreakError('hub_unreachable', `The hub answered status ${status}`);
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
