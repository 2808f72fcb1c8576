import { z } from 'zod';

/** With nanoseconds and an offset; what is longer says nothing more, and would be kept. */
const LONGEST = 35;

/** A moment as ISO 8601 writes it, in UTC, of somebody else's making. */
export function instantSchema() {
  return z.iso.datetime().max(LONGEST);
}
