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

/** A query that is seldom asked: compiled each time, with its values in the order in which it names them. */
function seldom(build: (builder: Builder) => Compilable): Statement {
  const [sqlite, postgres] = [build(builders.sqlite).compile(), build(builders.postgres).compile()];
  return { sql: { sqlite: sqlite.sql, postgres: postgres.sql }, parameters: sqlite.parameters.map(value) };
}
function value(parameter: unknown): Value {
  if (parameter === null || typeof parameter === 'string' || typeof parameter === 'number') return parameter;
  throw new TypeError(`Cannot ask a database: a value must be text or a number: it is a ${typeof parameter}`);
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

/** Links of a chain that is a table of its own, before one of them: the newest first, at most `limit`. */
export function linksBefore(table: string, before: number, limit: number): Statement {
  return seldom((builder) =>
    builder.selectFrom(table).selectAll().where('number', '<', before).orderBy('number', 'desc').limit(limit),
  );
}

/** The rows at these keys, as many as there are. Lists of some lengths alone are compiled, and filled up with their last key. */
export function find(table: string, keys: readonly Row[]): Statement {
  const [first] = keys;
  const length = LENGTHS.find((one) => one >= keys.length);
  if (first === undefined || length === undefined)
    throw new RangeError(`Cannot find ${keys.length} rows of ${table} at once`);
  const columns = Object.keys(first);
  const filled = Array.from({ length }, (_, i) => keys[i] ?? keys.at(-1) ?? first);
  const sql = once(`find ${length} ${table}`, columns, (builder) =>
    builder
      .selectFrom(table)
      .selectAll()
      .where((eb) => eb.or(filled.map((one) => eb.and(one)))),
  );
  return { sql, parameters: filled.flatMap((one) => Object.values(one)) };
}
const LENGTHS = [1, 8, 64];
export const FOUND_AT_ONCE = 64;

/** Rows that have these values, in the order in which they were first written: at most `limit` after a position. */
export function page(table: string, same: Row, after: number, limit: number): Statement {
  const columns = Object.keys(same);
  const sql = once(`page ${table}`, columns, (builder) => {
    const query = builder.selectFrom(table).selectAll().where('position', '>', after);
    return Object.entries(same)
      .reduce((narrowed, [column, value]) => narrowed.where(column, '=', value), query)
      .orderBy('position')
      .limit(limit);
  });
  return { sql, parameters: [after, ...Object.values(same), limit] };
}

/** Rows that have these values and a column in [from, to), by that column. */
export function range(table: string, same: Row, column: string, from: Value, to: Value): Statement {
  return seldom((builder) =>
    Object.entries(same)
      .reduce(
        (narrowed, [name, one]) => narrowed.where(name, '=', one),
        builder.selectFrom(table).selectAll().where(column, '>=', from).where(column, '<', to),
      )
      .orderBy(column),
  );
}

/** Removes all rows with a column in [from, to). */
export function removeRange(table: string, column: string, from: Value, to: Value): Statement {
  return seldom((builder) => builder.deleteFrom(table).where(column, '>=', from).where(column, '<', to));
}

/** Removes rows with a column below a number, the lowest first, at most `limit`. */
export function removeBelow(table: string, column: string, below: number, limit: number): Statement {
  return seldom((builder) => {
    const old = builder.selectFrom(table).select('position').where(column, '<', below);
    return builder.deleteFrom(table).where('position', 'in', old.orderBy(column).limit(limit));
  });
}

/** The highest value of a column that is not above a number; null where there is none. */
export function highest(table: string, column: string, most: number): Statement {
  return seldom((builder) =>
    builder
      .selectFrom(table)
      .select((eb) => eb.fn.max(column).as('highest'))
      .where(column, '<=', most),
  );
}

/** The lowest value of a column that is above a number; null where there is none. */
export function lowest(table: string, column: string, above: number): Statement {
  return seldom((builder) =>
    builder
      .selectFrom(table)
      .select((eb) => eb.fn.min(column).as('lowest'))
      .where(column, '>', above),
  );
}

/** The first row that is still there. */
export function oldest(table: string): Statement {
  return seldom((builder) => builder.selectFrom(table).selectAll().orderBy('position').limit(1));
}

/** When raw reports began and came, in the order in which they came: a page after a position. */
export function reportTimes(after: number, limit: number): Statement {
  return seldom((builder) =>
    builder
      .selectFrom('report')
      .select(['position', 'start', 'received'])
      .where('position', '>', after)
      .orderBy('position')
      .limit(limit),
  );
}
/** Raw reports of windows that began at a time, or that came at it, by position in (after, to]: a page. */
export function reportsOf(
  from: string,
  before: string,
  positions: { readonly after: number; readonly to: number },
  limit: number,
): Statement {
  return seldom((builder) =>
    builder
      .selectFrom('report')
      .selectAll()
      .where('position', '>', positions.after)
      .where('position', '<=', positions.to)
      .where((eb) =>
        eb.or([
          eb.and([eb('start', '>=', from), eb('start', '<', before)]),
          eb.and([eb('received', '>=', from), eb('received', '<', before)]),
        ]),
      )
      .orderBy('position')
      .limit(limit),
  );
}

/** A column's values before an instant, the lowest first, at most `limit`. */
export function lowestBefore(table: string, column: string, before: string, limit: number): Statement {
  return seldom((builder) =>
    builder.selectFrom(table).select(column).where(column, '<', before).orderBy(column).limit(limit),
  );
}

/** Removes all rows with a column up to an instant, this one too. */
export function removeUpTo(table: string, column: string, last: string): Statement {
  return seldom((builder) => builder.deleteFrom(table).where(column, '<=', last));
}
