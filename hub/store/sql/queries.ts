import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;
/** A query as a database takes it. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

type Tables = Record<string, Record<string, Value>>;

/**
 * The store's queries, written once with Kysely, which knows how each database spells them. What is written often is compiled
 * once for each table and shape: compiling costs more than SQLite takes to run it.
 */
const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
const compiled = new Map<string, string>();
function once(name: string, columns: readonly string[], compile: () => string): string {
  const key = `${name} ${columns.join()}`;
  const known = compiled.get(key) ?? compile();
  compiled.set(key, known);
  return known;
}

export function insert(table: string, row: Row): Statement {
  const columns = Object.keys(row);
  const sql = once(`insert ${table}`, columns, () => builder.insertInto(table).values(row).compile().sql);
  return { sql, parameters: Object.values(row) };
}

/** Puts a row in the place of the one with the same keys, or after all others. */
export function put(table: string, keys: Row, rest: Row): Statement {
  const row = { ...keys, ...rest };
  const sql = once(
    `put ${table}`,
    Object.keys(row),
    () =>
      builder
        .insertInto(table)
        .values(row)
        .onConflict((conflict) =>
          conflict
            .columns(Object.keys(keys))
            .doUpdateSet((eb) =>
              Object.fromEntries(Object.keys(rest).map((column) => [column, eb.ref(`excluded.${column}`)])),
            ),
        )
        .compile().sql,
  );
  return { sql, parameters: Object.values(row) };
}

export function remove(table: string, keys: Row): Statement {
  const sql = once(`remove ${table}`, Object.keys(keys), () => {
    const query = builder.deleteFrom(table);
    return Object.entries(keys)
      .reduce((narrowed, [column, value]) => narrowed.where(column, '=', value), query)
      .compile().sql;
  });
  return { sql, parameters: Object.values(keys) };
}

/** All rows, in the order in which they were first written. */
export function all(table: string): Statement {
  return { sql: builder.selectFrom(table).selectAll().orderBy('position').compile().sql, parameters: [] };
}

/** Links of a chain after one of them, at most `limit`. */
export function links(table: string, keys: Row, after: number, limit: number): Statement {
  const query = builder
    .selectFrom(table)
    .selectAll()
    .where('number', '>', after)
    .orderBy('number')
    .limit(limit);
  const { sql, parameters } = Object.entries(keys)
    .reduce((narrowed, [column, value]) => narrowed.where(column, '=', value), query)
    .compile();
  return { sql, parameters: parameters.map(value) };
}

/** Of the oldest `limit` rows, those before an instant: a purge of many runs in small steps. */
export function purge(table: string, column: string, before: string, limit: number): Statement {
  const oldest = builder
    .selectFrom(table)
    .select(['position', column])
    .orderBy('position')
    .limit(limit)
    .as('oldest');
  const old = builder.selectFrom(oldest).select('oldest.position').where(`oldest.${column}`, '<', before);
  const { sql, parameters } = builder.deleteFrom(table).where('position', 'in', old).compile();
  return { sql, parameters: parameters.map(value) };
}

function value(one: unknown): Value {
  if (typeof one === 'string' || typeof one === 'number' || one === null) return one;
  throw new TypeError(`a query holds ${typeof one}`);
}
