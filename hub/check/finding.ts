import { AdbreakError, explain, FORBIDDEN_REMEDY, isForbidden } from '@adbreak/shared/errors.js';

const LEVELS = ['ok', 'warning', 'wrong'] as const;
/** `warning`: it works, and will not for ever. `wrong`: it does not work, or not as it should. */
type Level = (typeof LEVELS)[number];

/** What a check has found of one thing. */
export interface Finding {
  /** The thing: `store`, `clock`, … */
  readonly check: string;
  readonly level: Level;
  /** What is so, with which thing. */
  readonly message: string;
  /** What to do; null where nothing is to be done. */
  readonly mend: string | null;
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, mend: null };
}
export function warning(check: string, message: string, mend: string): Finding {
  return { check, level: 'warning', message, mend };
}
export function wrong(check: string, message: string, mend: string): Finding {
  return { check, level: 'wrong', message, mend };
}

/** A fault that the product itself would meet there is a finding, with its own remedy. */
export function ofError(check: string, error: unknown): Finding {
  const mend = error instanceof AdbreakError ? error.remedy : 'Report this fault with the words above.';
  return wrong(check, explain(error), isForbidden(error) ? FORBIDDEN_REMEDY : mend);
}
