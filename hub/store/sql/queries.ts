import {
  type Compilable,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;
/** A query as each database spells it. */
export interface Spellings {
  readonly sqlite: string;
  readonly postgres: string;
}
/** A query and its values; a text alone is one that every database takes as it is. */
export interface Statement {
  readonly sql: string | Spellings;
  readonly parameters: readonly Value[];
}
export function spelled({ sql }: Statement, database: keyof Spellings): string {
  return typeof sql === 'string' ? sql : sql[database];
}

type Tables = Record<string, Record<string, Value>>;
type Builder = Kysely<Tables>;

/**
 * The store's queries, written once with Kysely, which knows how each database spells them. Each is compiled once for each
 * table and shape: compiling costs more than SQLite takes to run it.
 */
const builders: Readonly<Record<keyof Spellings, Builder>> = {
  sqlite: new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgres: new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
};
const compiled = new Map<string, Spellings>();
function once(name: string, columns: readonly string[], build: (builder: Builder) => Compilable): Spellings {
  const key = `${name} ${columns.join()}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const { sqlite, postgres } = builders;
  const spellings = { sqlite: build(sqlite).compile().sql, postgres: build(postgres).compile().sql };
  compiled.set(key, spellings);
  return spellings;
}

export function insert(table: string, row: Row): Statement {
  const columns = Object.keys(row);
  const sql = once(`insert ${table}`, columns, (builder) => builder.insertInto(table).values(row));
  return { sql, parameters: Object.values(row) };
}

/** Puts a row in the place of the one with the same keys, or after all others. */
export function put(table: string, keys: Row, rest: Row): Statement {
  const row = { ...keys, ...rest };
  const sql = once(`put ${table}`, Object.keys(row), (builder) =>
    builder
      .insertInto(table)
      .values(row)
      .onConflict((conflict) =>
        conflict
          .columns(Object.keys(keys))
          .doUpdateSet((eb) =>
            Object.fromEntries(Object.keys(rest).map((column) => [column, eb.ref(`excluded.${column}`)])),
          ),
      ),
  );
  return { sql, parameters: Object.values(row) };
}

export function remove(table: string, keys: Row): Statement {
  const sql = once(`remove ${table}`, Object.keys(keys), (builder) =>
    Object.entries(keys).reduce(
      (narrowed, [column, value]) => narrowed.where(column, '=', value),
      builder.deleteFrom(table),
    ),
  );
  return { sql, parameters: Object.values(keys) };
}

/** All rows, in the order in which they were first written. */
export function all(table: string): Statement {
  const sql = once(`all ${table}`, [], (builder) =>
    builder.selectFrom(table).selectAll().orderBy('position'),
  );
  return { sql, parameters: [] };
}

/** Links of a chain after one of them, at most `limit`. */
export function links(table: string, keys: Row, after: number, limit: number): Statement {
  const sql = once(`links ${table}`, Object.keys(keys), (builder) =>
    Object.entries(keys).reduce(
      (narrowed, [column, value]) => narrowed.where(column, '=', value),
      builder.selectFrom(table).selectAll().where('number', '>', after).orderBy('number').limit(limit),
    ),
  );
  return { sql, parameters: [after, ...Object.values(keys), limit] };
}

/** Of the oldest `limit` rows, those before an instant: a purge of many runs in small steps. */
export function purge(table: string, column: string, before: string, limit: number): Statement {
  const sql = once(`purge ${table}`, [column], (builder) => {
    const oldest = builder
      .selectFrom(table)
      .select(['position', column])
      .orderBy('position')
      .limit(limit)
      .as('oldest');
    const old = builder.selectFrom(oldest).select('oldest.position').where(`oldest.${column}`, '<', before);
    return builder.deleteFrom(table).where('position', 'in', old);
  });
  return { sql, parameters: [limit, before] };
}
