import { join } from 'node:path';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { takeUpOpenHours } from '../monitoring/legacy.js';
import { EVENT_LIMIT, rolloutEvent } from '../rollouts/events.js';
import { isActive } from '../rollouts/rollout.js';
import { step } from '../rollouts/step.js';
import { brokenBy, type Head, type Link } from './chain.js';
import { endRestoring } from './restoring.js';
import { readRows } from './rows.js';
import { readSettings } from './settings.js';
import type { Database } from './sql/database.js';
import { migrate } from './sql/migrations.js';
import type { PostgresOptions } from './sql/postgres.js';
import { all } from './sql/queries.js';
import { Sqlite } from './sql/sqlite.js';
import { SqlStore } from './sql-store.js';
import type { HubState, StoredRollout } from './state.js';
import { takeOver } from './takeover.js';

export const DATABASE_FILE = 'hub.db';

export interface OpenOptions extends PostgresOptions {
  /** The URL of a PostgreSQL database; without it the store is SQLite in the folder. */
  readonly store?: string | undefined;
  /** The longest row, in characters. */
  readonly limit?: number;
  /** Stands between the store and the database; for tests. */
  readonly wrap?: (database: Database) => Database;
}

/** Opens the hub's database, makes it where there is none, and takes over what an earlier hub has left in `folder`. */
export async function openStore(
  folder: string,
  now: () => Date,
  { store, stop, say = () => undefined, limit, wrap = (one) => one }: OpenOptions = {},
): Promise<SqlStore> {
  const database = wrap(await openDatabase(folder, store, { say, stop }));
  try {
    await migrate(database, now());
    await database.prepare?.();
    await takeOver(folder, database, now(), say);
    await takeUpOpenHours(database);
    await endRestoring(database);
    return await load(database, now, say, limit);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The hub's own, for writing. */
export async function openDatabase(
  folder: string,
  store: string | undefined,
  options: PostgresOptions = {},
): Promise<Database> {
  if (store === undefined) return Sqlite.open(join(folder, DATABASE_FILE), options.stop);
  // Most hubs need none of its parts.
  const { Postgres } = await import('./sql/postgres.js');
  return Postgres.open(store, options);
}

/** The database of a hub, running or not, for who looks into it from beside. */
export async function openBeside(folder: string): Promise<Database> {
  const { store } = await readSettings(folder);
  if (store === undefined) {
    const path = join(folder, DATABASE_FILE);
    // Opening makes it, and an empty one would pass for a hub's that was lost.
    if (await exists(path)) return Sqlite.open(path);
    throw new AdbreakError('not_found', `Cannot read ${path}: there is no such file`, {
      remedy:
        'Give --state the folder of a hub; one of a version before 0.3 is taken over when it is started.',
    });
  }
  const { Postgres } = await import('./sql/postgres.js');
  return Postgres.beside(store);
}

/** The store over a database whose tables are there. */
export async function load(
  database: Database,
  now: () => Date,
  say: (line: string) => void,
  limit?: number,
): Promise<SqlStore> {
  const state = await readRows(database);
  const store = new SqlStore(database, state, await readHeads(database), now, limit);
  await complete(store, state, say);
  return store;
}

const headRow = z.object({ chain: z.string(), number: z.int().positive(), hash: z.string() });
export async function readHeads(database: Database): Promise<Map<string, Head>> {
  const rows = (await database.rows(all('head'))).map((row) =>
    check(headRow, row, `a head of ${database.name}`, 'state_corrupt'),
  );
  return new Map(rows.map(({ chain, number, hash }) => [chain, { number, hash }]));
}

/**
 * A rollout's row is as its last decision left it; what came after it is added up from its events, as the hub did when they came.
 * A chain that is broken in that part stops the start: going on would sign what somebody else wrote.
 */
async function complete(store: SqlStore, state: HubState, say: (line: string) => void): Promise<void> {
  for (const known of state.rollouts.filter(isActive)) {
    let rollout: StoredRollout = known;
    let head: Head | null = null;
    for await (const one of store.events(known.id, known.seen)) {
      const before: Head = head ?? { number: known.seen, hash: one.previous };
      const broken = brokenBy(before, one);
      if (broken !== null) throw damaged(known.id, one, broken);
      head = one;
      const event = parseJson(
        rolloutEvent,
        one.body,
        EVENT_LIMIT,
        `event ${one.number} of rollout ${known.id}`,
        'state_corrupt',
      );
      rollout = { ...(event.kind === 'started' ? rollout : step(rollout, event).state), seen: one.number };
    }
    const newest = store.newest(known.id);
    if ((head?.number ?? known.seen) !== newest.number)
      say(
        `rollout ${known.id}: its log ends at event ${head?.number ?? known.seen}, and ${newest.number} were written; it cannot be replayed`,
      );
    if (rollout === known) continue;
    store.amend((all) => {
      all.rollouts = all.rollouts.map((one) => (one === known ? rollout : one));
    });
  }
}
function damaged(rollout: string, { number }: Link, why: string): AdbreakError {
  return new AdbreakError(
    'state_corrupt',
    `Cannot take up rollout ${rollout}: event ${number} of its log ${why}`,
    {
      remedy: 'Restore the state folder from a backup; nothing was overwritten.',
    },
  );
}
