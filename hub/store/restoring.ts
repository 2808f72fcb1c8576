import { resolve } from 'node:path';
import { check } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import type { Database } from './sql/database.js';
import { find, put, remove, type Statement } from './sql/queries.js';

/**
 * A restore writes the state folder that it fills into the database with the rows: until a hub has opened that database, a
 * restore into the same folder may begin again. Without it one that was killed after its commit would leave a database that
 * nobody may restore into, and no hub has.
 */
const RESTORING = { key: 'restoring' };
const rows = z.array(z.object({ value: z.string() })).max(1);

export function putRestoring(folder: string): Statement {
  return put('meta', RESTORING, { value: resolve(folder) });
}

/** The folder of a restore whose database no hub has opened yet; null where there is none. */
export async function restoringInto(database: Database): Promise<string | null> {
  const found = await database.rows(find('meta', [RESTORING]));
  return check(rows, found, `the note of a restore in ${database.name}`, 'state_corrupt')[0]?.value ?? null;
}

/** A hub works with it now: what is in it is its memory. */
export async function endRestoring(database: Database): Promise<void> {
  if ((await restoringInto(database)) !== null) await database.transact([remove('meta', RESTORING)]);
}
