import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { Database } from '../store/sql/database.js';
import { keysAs, unescaped } from '../store/sql/keys.js';
import { type Row as Columns, FOUND_AT_ONCE, find, page } from '../store/sql/queries.js';
import { type Key, type Place, place } from './fold.js';
import { ChangedRows, RecentRows, ROW_LIMIT } from './row-sets.js';
import type { RowKind } from './rows.js';

/** Rows are parsed so many in one turn of the event loop. */
const PAGE = 100;

/** Rows of one kind: those in use in memory, all of them in the database. */
export class RowStore<Row> {
  readonly kind: RowKind<Row>;
  readonly #database: Database;
  readonly #recent: RecentRows<Row>;

  constructor(database: Database, kind: RowKind<Row>, most: number) {
    this.kind = kind;
    this.#database = database;
    this.#recent = new RecentRows(most);
  }

  get inMemory(): number {
    return this.#recent.size;
  }

  /** The rows at these places as they may be changed; those that are not in memory are read, many at once. */
  async open(places: Iterable<Place>): Promise<ChangedRows<Row>> {
    const here = new Map<string, Row>();
    const missing = new Map<string, Place>();
    for (const one of places) {
      if (here.has(one.id) || missing.has(one.id)) continue;
      const row = this.#recent.get(one.id);
      if (row === undefined) missing.set(one.id, one);
      else here.set(one.id, row);
    }
    for (const [id, row] of await this.find([...missing.values()])) here.set(id, row);
    return new ChangedRows(this.kind, (id) => here.get(id));
  }

  /** By the id of their place; those that are not there are left out. */
  async find(places: readonly Place[]): Promise<Map<string, Row>> {
    const found = new Map<string, Row>();
    for (let at = 0; at < places.length; at += FOUND_AT_ONCE) {
      const keys = places.slice(at, at + FOUND_AT_ONCE).map(({ key }) => keysAs(this.kind.keys, key));
      for (const row of await this.#database.rows(find(this.kind.table, keys))) {
        const read = this.#parse(row);
        found.set(place(...read.key).id, read.row);
      }
    }
    return found;
  }

  /** All rows with these values in the first columns, in the order in which they were first written. */
  async *all(same: Columns): AsyncGenerator<{ readonly key: Key; readonly row: Row }> {
    for (let last = 0; ; ) {
      const rows = await this.#database.rows(page(this.kind.table, same, last, PAGE));
      for (const row of rows) {
        const read = this.#parse(row);
        last = read.position;
        yield read;
      }
      if (rows.length < PAGE) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What was changed is on disk: it is what the next batch adds to. */
  keep({ changed }: ChangedRows<Row>): void {
    for (const { place: at, row } of changed) this.#recent.keep(at.id, row);
  }
  forget(): void {
    this.#recent.clear();
  }

  #parse(row: unknown) {
    const { table, keys } = this.kind;
    const where = `a row of ${table} of ${this.#database.name}`;
    const { body, position, ...columns } = check(stored, row, where, 'state_corrupt');
    const key = keys.map((column): string | number => {
      const value = columns[column];
      return typeof value === 'number' ? value : unescaped(value);
    });
    try {
      return {
        key,
        position,
        row: parseJson(this.kind.schema, body, ROW_LIMIT, `${table} ${key.join(' ')}`, 'state_corrupt'),
      };
    } catch (cause) {
      throw new AdbreakError(
        'state_corrupt',
        `Cannot read ${table} ${key.join(' ')} of ${this.#database.name}`,
        {
          cause,
          remedy:
            'Stop the hub and compute the rollups again: `adbreak hub rebuild-rollups`; or restore the state folder from a backup.',
        },
      );
    }
  }
}
const stored = z.looseObject({ position: z.int(), body: z.string() });
