import { check } from '@adbreak/shared/contract/parse.js';
import { hourOf } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import type { Database } from '../store/sql/database.js';
import { highest } from '../store/sql/queries.js';
import { HOURS_OF_DAY } from './calendar.js';

const newest = z.object({ highest: z.int().nullable() });

/**
 * The hour from which ages are counted: now. Where nothing is known of the day before yesterday, it is a day after the newest hour
 * before that: a clock that jumps a year ahead takes nothing with it until it has stood there for a day. Null where there is no
 * such hour: nothing is old then.
 */
export async function agesFrom(database: Database, now: Date): Promise<number | null> {
  const current = hourOf(now.getTime()).hour;
  let known: number | null = null;
  for (const table of ['model_hour', 'reference_hour']) {
    const [row] = await database.rows(highest(table, 'hour', current - HOURS_OF_DAY));
    const { highest: hour } = check(newest, row, `the newest ${table} of ${database.name}`, 'state_corrupt');
    if (hour !== null && (known === null || hour > known)) known = hour;
  }
  if (known === null) return null;
  return known > current - 2 * HOURS_OF_DAY ? current : known + HOURS_OF_DAY;
}
