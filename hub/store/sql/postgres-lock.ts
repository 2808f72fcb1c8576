import type pg from 'pg';
import { z } from 'zod';
import { put, type Statement } from './queries.js';

/** "adbreak" as a number: programs that lock something else in the same database choose another one. */
const KEY = '27413446729752939';

/** Whether this session has the hub's lock now. PostgreSQL lets it go when the session ends, after its last transaction has. */
export async function lock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(`select pg_try_advisory_lock(${KEY}) as held`);
  return z.tuple([z.object({ held: z.boolean() })]).parse(rows)[0].held;
}

const MARK = 'commit';
/** What a transaction leaves behind, to be known by. */
export function markOf(mark: string): Statement {
  return put('meta', { key: MARK }, { value: mark });
}

const there = z.tuple([z.object({ there: z.boolean() })]);
const marks = z.array(z.object({ value: z.string() }));
/** The mark of the last transaction that was kept; null in an empty database. */
export async function markFound(client: pg.Client): Promise<string | null> {
  const known = await client.query("select to_regclass('meta') is not null as there");
  if (!there.parse(known.rows)[0].there) return null;
  const { rows } = await client.query('select value from meta where key = $1', [MARK]);
  return marks.parse(rows)[0]?.value ?? null;
}
