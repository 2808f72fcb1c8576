import { InvalidArgumentError } from 'commander';

/** The same where there may be none. */
/** Commander takes null for a value that was left out. */
export function portOrNone(text: string): number | 'none' {
  return text === 'none' ? text : port(text);
}

/** A port as an option gives it. */
export function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('It must be a port from 0 to 65535; 0 takes any free one.');
  return value;
}
