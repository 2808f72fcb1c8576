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

/** The rows at these keys, as many as there are. Lists of some lengths alone are compiled, and filled up with their last key. */
export function find(table: string, keys: readonly Row[]): Statement {
  const [first] = keys;
  const length = LENGTHS.find((one) => one >= keys.length);
  if (first === undefined || length === undefined)
    throw new RangeError(`Cannot find ${keys.length} rows of ${table} at once`);
  const columns = Object.keys(first);
  const filled = Array.from({ length }, (_, i) => keys[i] ?? keys.at(-1) ?? first);
  const sql = once(
    `find ${length} ${table}`,
    columns,
    () =>
      builder
        .selectFrom(table)
        .selectAll()
        .where((eb) => eb.or(filled.map((one) => eb.and(one))))
        .compile().sql,
  );
  return { sql, parameters: filled.flatMap((one) => Object.values(one)) };
}
const LENGTHS = [1, 8, 64];
export const FOUND_AT_ONCE = 64;

/** Rows that have these values, in the order in which they were first written: at most `limit` after a position. */
export function page(table: string, same: Row, after: number, limit: number): Statement {
  const columns = Object.keys(same);
  const sql = once(`page ${table}`, columns, () => {
    const query = builder.selectFrom(table).selectAll().where('position', '>', after);
    return Object.entries(same)
      .reduce((narrowed, [column, value]) => narrowed.where(column, '=', value), query)
      .orderBy('position')
      .limit(limit)
      .compile().sql;
  });
  return { sql, parameters: [after, ...Object.values(same), limit] };
}

/** Rows that have these values and a column in [from, to), by that column. */
export function range(table: string, same: Row, column: string, from: Value, to: Value): Statement {
  const query = builder.selectFrom(table).selectAll().where(column, '>=', from).where(column, '<', to);
  const { sql, parameters } = Object.entries(same)
    .reduce((narrowed, [name, one]) => narrowed.where(name, '=', one), query)
    .orderBy(column)
    .compile();
  return { sql, parameters: parameters.map(value) };
}

/** Removes all rows with a column in [from, to). */
export function removeRange(table: string, column: string, from: Value, to: Value): Statement {
  const { sql, parameters } = builder
    .deleteFrom(table)
    .where(column, '>=', from)
    .where(column, '<', to)
    .compile();
  return { sql, parameters: parameters.map(value) };
}

/** Removes rows with a column below a number, the lowest first, at most `limit`. */
export function removeBelow(table: string, column: string, below: number, limit: number): Statement {
  const old = builder
    .selectFrom(table)
    .select('position')
    .where(column, '<', below)
    .orderBy(column)
    .limit(limit);
  const { sql, parameters } = builder.deleteFrom(table).where('position', 'in', old).compile();
  return { sql, parameters: parameters.map(value) };
}

/** The highest value of a column that is not above a number; null where there is none. */
export function highest(table: string, column: string, most: number): Statement {
  const { sql, parameters } = builder
    .selectFrom(table)
    .select((eb) => eb.fn.max(column).as('highest'))
    .where(column, '<=', most)
    .compile();
  return { sql, parameters: parameters.map(value) };
}

/** The lowest value of a column that is above a number; null where there is none. */
export function lowest(table: string, column: string, above: number): Statement {
  const { sql, parameters } = builder
    .selectFrom(table)
    .select((eb) => eb.fn.min(column).as('lowest'))
    .where(column, '>', above)
    .compile();
  return { sql, parameters: parameters.map(value) };
}

/** The first row that is still there. */
export function oldest(table: string): Statement {
  const { sql, parameters } = builder.selectFrom(table).selectAll().orderBy('position').limit(1).compile();
  return { sql, parameters: parameters.map(value) };
}

/** When raw reports began and came, in the order in which they came: a page after a position. */
export function reportTimes(after: number, limit: number): Statement {
  const { sql, parameters } = builder
    .selectFrom('report')
    .select(['position', 'start', 'received'])
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
    .compile();
  return { sql, parameters: parameters.map(value) };
}
/** Raw reports of windows that began at a time, or that came at it, by position in (after, to]: a page. */
export function reportsOf(
  from: string,
  before: string,
  positions: { readonly after: number; readonly to: number },
  limit: number,
): Statement {
  const { sql, parameters } = builder
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
    .limit(limit)
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
