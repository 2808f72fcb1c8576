import { connect, type Target } from './postgres-connection.js';
import { postgresError } from './postgres-errors.js';
import { type Statement, spelled } from './queries.js';

/** Rows that come at once. */
const PAGE = 200;

/** Reads of one moment on a session of their own, each by a cursor. */
export async function snapshotOf<T>(
  target: Target,
  work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>,
): Promise<T> {
  const client = await connect(target);
  let cursors = 0;
  async function* rows(statement: Statement): AsyncGenerator<unknown> {
    const cursor = `rows_${++cursors}`;
    try {
      await client.query(`declare ${cursor} cursor for ${spelled(statement, 'postgres')}`, [
        ...statement.parameters,
      ]);
      for (let page: unknown[] = []; ; yield* page) {
        page = (await client.query(`fetch ${PAGE} from ${cursor}`)).rows;
        if (page.length === 0) break;
      }
    } catch (error) {
      throw postgresError(error, target.name, 'read');
    }
  }
  try {
    await client
      .query('begin isolation level repeatable read read only')
      // The moment is that of the first query, not of `begin`.
      .then(() => client.query('select 1'))
      .catch((error: unknown) => {
        throw postgresError(error, target.name, 'read');
      });
    return await work(rows);
  } finally {
    await client.end().catch(() => undefined);
  }
}
