import { AdbreakError, ERROR_CODES, type ErrorCode } from '../errors.js';

/** The coded error in the body of a hub's answer, `{error, message, remedy}`; `hub_unreachable` where there is none. */
export function errorFromAnswer(body: unknown, status: number): AdbreakError {
  if (typeof body === 'object' && body !== null && 'error' in body && 'message' in body && typeof body.error === 'string' && isErrorCode(body.error)) {
    return new AdbreakError(body.error, String(body.message), 'remedy' in body && typeof body.remedy === 'string' ? { remedy: body.remedy } : {});
  }
  return new AdbreakError('hub_unreachable', `The hub answered status ${status}`);
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
