import { parseJson } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import type { TakenFacts } from './fold.js';

const LIMIT = 1024;
const facts = z.strictObject({
  missing: z.int().nonnegative().default(0),
  twice: z.boolean().default(false),
  unknown: z
    .array(z.enum(['production', 'candidate']))
    .max(2)
    .default([]),
});

/** What the hub knew of a report, as it is kept beside the report: what is unusual alone, for it is kept with each. */
export function writeFacts({ missing, twice, unknown }: TakenFacts): string {
  return JSON.stringify({
    ...(missing > 0 && { missing }),
    ...(twice && { twice }),
    ...(unknown.length > 0 && { unknown }),
  });
}
/** Throws `state_corrupt`. */
export function readFacts(text: string, what: string): TakenFacts {
  return parseJson(facts, text, LIMIT, what, 'state_corrupt');
}
