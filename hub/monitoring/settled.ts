import { check } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import type { Database } from '../store/sql/database.js';
import { find, put, type Statement } from '../store/sql/queries.js';
import type { HourMean } from './reference.js';

/** Writes of the rollups' own, between the commits of the store. */
export type Write = (statements: readonly Statement[]) => Promise<{ readonly changed: number }>;

const SETTLED = 'settled hour';
const mark = z.object({ value: z.string().regex(/^-?\d{1,9}$/) });

/** The last hour, since the epoch, that is closed for the reference; null before the first. */
export async function settledHour(database: Database): Promise<number | null> {
  const [row] = await database.rows(find('meta', [{ key: SETTLED }]));
  return row === undefined
    ? null
    : Number(check(mark, row, `the ${SETTLED} of ${database.name}`, 'state_corrupt').value);
}
export function settledAt(hour: number): Statement {
  return put('meta', { key: SETTLED }, { value: String(hour) });
}
/** An hour of the reference; nothing where nobody showed an episode of it in time. */
export function referenceRow(hour: number, digest: string, sum: HourMean): Statement[] {
  const mean = sum.mean();
  return mean === null ? [] : [put('reference_hour', { hour, digest }, { body: JSON.stringify(mean) })];
}
