import { check } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import { all, insert, put, type Row, type Statement } from './sql/queries.js';

/**
 * Every table of the hub's database but `migration`, in the order in which a backup has them; a test holds it to the
 * database.
 */
export const TABLES = [
  'meta',
  'claim',
  'token',
  'account',
  'session',
  'device',
  'model',
  'version',
  'rollout',
  'round',
  'answer',
  'channel_hour',
  'labels',
  'model_hour',
  'model_day',
  'device_day',
  'reference_hour',
  'outbox',
  'operator_entry',
  'operator_command',
  'device_command',
  'training_job',
  'event',
  'audit',
  'head',
  'report',
] as const;
/** What backups of earlier schemas have besides: a restore puts it in and then brings the schema up to date. */
const FORMER = ['hour'] as const;
export type Table = (typeof TABLES)[number];

export const ALL_TABLES: readonly string[] = [...TABLES, ...FORMER];

export function isTable(name: string): name is Table | (typeof FORMER)[number] {
  return ALL_TABLES.includes(name);
}

/** All rows of a table in their order; `meta` alone has none. */
export function rowsOf(table: Table): Statement {
  return table === 'meta' ? { sql: 'select key, value from meta order by key', parameters: [] } : all(table);
}

/** How a table is read: from a database, or from one moment of it. */
export type Read = (statement: Statement) => AsyncIterable<unknown>;

const appliedSchema = z.object({ number: z.int().positive() });
const APPLIED: Statement = { sql: 'select number from migration order by number', parameters: [] };

/** The number of the last migration of a database. */
export async function schemaOf(read: Read): Promise<number> {
  let last = 0;
  for await (const row of read(APPLIED))
    last = check(appliedSchema, row, 'a row of migration', 'state_corrupt').number;
  return last;
}

const rowSchema = z.record(z.string().regex(/^[a-z_]{1,40}$/), z.union([z.string(), z.number(), z.null()]));

/** A row as a backup has it: without its position, which is a database's own; the order of the rows stands for it. */
export function withoutPosition(row: unknown, what: string): Row {
  const { position: _, ...rest } = check(rowSchema, row, what, 'state_corrupt');
  return rest;
}

/** Puts a row of a backup after those before it. Notes that a database has made itself give way. */
export function insertRow(table: Table | (typeof FORMER)[number], row: unknown, what: string): Statement {
  const { key, ...rest } = withoutPosition(row, what);
  if (table === 'meta') return put('meta', { key: key ?? '' }, rest);
  return insert(table, withoutPosition(row, what));
}
