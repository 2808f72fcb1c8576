import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { Database } from './database.js';
import type { Statement } from './queries.js';

/** Rows found by keys, in the order in which they came; `body` is JSON of the schema in hub/store/rows.ts. */
const keyed = (table: string, keys: readonly string[]) =>
  `create table ${table} (position integer primary key autoincrement, ${keys.map((key) => `${key} text not null`).join(', ')}, body text not null, unique (${keys.join(', ')}))`;

/** Rows of a time, found by it and by further keys. */
const rollup = (table: string, time: string, keys: readonly string[]) =>
  `create table ${table} (position integer primary key autoincrement, ${time} integer not null, ${keys.map((key) => `${key} text not null`).join(', ')}, body text not null, unique (${[time, ...keys].join(', ')}))`;
/** Each runs once, in this order, and is never changed afterwards. */
const MIGRATIONS: readonly { readonly name: string; readonly sql: readonly string[] }[] = [
  {
    name: 'rows',
    sql: [
      'create table meta (key text primary key, value text not null)',
      keyed('claim', ['hash']),
      keyed('token', ['id']),
      keyed('device', ['id']),
      keyed('model', ['name']),
      keyed('version', ['model', 'version']),
      keyed('rollout', ['id']),
      keyed('round', ['id']),
      keyed('answer', ['round', 'device']),
      keyed('hour', ['digest', 'hour']),
      keyed('channel_hour', ['digest', 'hour', 'channel']),
      keyed('labels', ['digest']),
      keyed('outbox', ['key']),
      // Appended by rowid; found again by rollout and number.
      'create table event (position integer primary key autoincrement, rollout text not null, number integer not null, at text not null, kind text not null, body text not null, previous text not null, hash text not null, unique (rollout, number))',
      'create table audit (position integer primary key autoincrement, number integer not null unique, at text not null, body text not null, previous text not null, hash text not null)',
      // The newest link of each chain: a log whose end was cut off is found by it.
      'create table head (position integer primary key autoincrement, chain text not null unique, number integer not null, hash text not null)',
      'create table report (position integer primary key autoincrement, device text not null, sequence integer not null, start text not null, received text not null, body text not null)',
    ],
  },
  {
    name: 'rollups',
    sql: [
      // By time first: they are read, closed and purged by it. Hours and days since the epoch, UTC.
      rollup('model_hour', 'hour', ['digest', 'channel', 'hardware']),
      rollup('model_day', 'day', ['digest', 'channel', 'hardware']),
      rollup('device_day', 'day', ['device']),
      // An hour that is over, each channel as the mean of its devices: what WORLD is measured against.
      rollup('reference_hour', 'hour', ['digest']),
      'insert into reference_hour (hour, digest, body) select cast(hour as integer), digest, body from hour order by position',
      'drop table hour',
      // What the hub knew of a report when it took it; what it says nothing of is as usual.
      "alter table report add column taken text not null default '{}'",
    ],
  },
];

const applied = z.array(z.object({ number: z.int().positive() }));
const APPLIED: Statement = { sql: 'select number from migration order by number', parameters: [] };
const TABLE = "select name from sqlite_master where type = 'table' and name = 'migration'";

/** Brings the schema up to date. A database of a newer hub is refused, and left as it is. */
export async function migrate(database: Database, now: Date): Promise<void> {
  const known = (await database.rows({ sql: TABLE, parameters: [] })).length > 0;
  const done = known ? applied.parse(await database.rows(APPLIED)).length : 0;
  if (done > MIGRATIONS.length)
    throw new AdbreakError(
      'conflict',
      `Cannot open ${database.name}: its schema is number ${done}, and this hub knows ${MIGRATIONS.length}: a newer hub wrote it`,
      {
        remedy:
          'Start the newer version, or restore the folder from a backup of before the update; nothing was changed.',
      },
    );
  if (done === MIGRATIONS.length) return;
  const create = known
    ? []
    : [
        {
          sql: 'create table migration (number integer primary key, name text not null, at text not null)',
          parameters: [],
        },
      ];
  const steps = MIGRATIONS.slice(done).flatMap(({ name, sql }, i): Statement[] => [
    ...sql.map((one) => ({ sql: one, parameters: [] })),
    {
      sql: 'insert into migration (number, name, at) values (?, ?, ?)',
      parameters: [done + i + 1, name, now.toISOString()],
    },
  ]);
  await database.transact([...create, ...steps]);
}
