import { parentPort, workerData } from 'node:worker_threads';
import { DatabaseSync } from '@photostructure/sqlite';
import type { Value } from './queries.js';

/**
 * The thread that SQLite runs in: its calls are synchronous, and a commit waits for the disk, which must not
 * hold up whoever else talks to the hub. It does what sqlite.ts asks for, in that order, and answers each.
 * It loads nothing but the driver: what it needs, an idle hub keeps in memory.
 */

/** A query as SQLite spells it, and its values. */
export type Bound = readonly [sql: string, parameters: readonly Value[]];
export type Request =
  | { readonly ask: 'open' | 'look' | 'prepare' | 'begin' | 'commit' | 'rollback' | 'close' }
  | { readonly ask: 'run' | 'transact'; readonly statements: readonly Bound[] }
  | { readonly ask: 'rows'; readonly statement: Bound }
  /** The next rows of a statement, fewer than `most` at its end; a number for each statement. */
  | { readonly ask: 'page'; readonly cursor: number; readonly most: number; readonly statement: Bound };
/** Rows, or how many rows a write has changed. */
export type Answer =
  | { readonly rows: readonly unknown[] }
  | { readonly changed: number }
  | { readonly failed: Failure };
/** What SQLite or the system said, as plain data: an error loses that on its way to another thread. */
export interface Failure {
  readonly message: string;
  readonly stack: string | undefined;
  /** SQLite's extended result code. */
  readonly sqliteExtendedCode?: number;
  /** The system's, `ENOSPC`. */
  readonly code?: string;
  /** What a file that was read through is. */
  readonly damaged?: string;
}
/** The file, and what is read through of it. */
export interface Opened {
  readonly path: string;
  readonly size: number;
}

/** So long a write waits for another program that holds the database, such as a backup. */
const BUSY_MS = 1000;
const LOOK_MS = 10;
/** sqlite.org/rescode.html: the low byte of a result code says which kind it is. */
const SQLITE_BUSY = 5;
/** Pages of 4 KiB after which the log of writes goes into the file. */
const CHECKPOINT_PAGES = 500;
/** A file up to this size is read through at every start; a larger one would take seconds. */
const CHECKED_BYTES = 64 * 1024 * 1024;

type Connection = InstanceType<typeof DatabaseSync>;
type Prepared = ReturnType<Connection['prepare']>;
interface Cursor {
  /** The driver's iterators do not hold their statement: collected under them, it takes the process with it. */
  readonly statement: Prepared;
  readonly rows: Iterator<unknown>;
}

class Sqlite {
  readonly #path: string;
  readonly #size: number;
  readonly #prepared = new Map<string, Prepared>();
  readonly #cursors = new Map<number, Cursor>();
  #open: Connection | null = null;
  #writes = false;

  constructor({ path, size }: Opened) {
    this.#path = path;
    this.#size = size;
  }

  answer(request: Request): Answer {
    try {
      return this.#do(request);
    } catch (error) {
      return { failed: failureOf(error) };
    }
  }

  #do(request: Request): Answer {
    switch (request.ask) {
      case 'open':
        this.#begin();
        return { changed: 0 };
      case 'look':
        this.#look();
        return { changed: 0 };
      case 'page':
        return { rows: this.#page(request) };
      case 'prepare':
        this.#enter();
        return { changed: 0 };
      case 'begin':
        this.#enter();
        patiently(() => this.#db.exec('begin immediate'));
        return { changed: 0 };
      case 'run':
        return { changed: this.#run(request.statements) };
      case 'commit':
        this.#orBack(() => this.#db.exec('commit'));
        return { changed: 0 };
      case 'rollback':
        if (this.#db.isTransaction) this.#db.exec('rollback');
        return { changed: 0 };
      case 'transact':
        return { changed: this.#transact(request.statements) };
      case 'rows': {
        const [sql, parameters] = request.statement;
        return { rows: this.#prepare(sql).all(...parameters) };
      }
      case 'close':
        this.#close();
        return { changed: 0 };
    }
  }

  get #db(): Connection {
    if (this.#open === null) throw new Error('the database is not open');
    return this.#open;
  }

  #begin(): void {
    const db = new DatabaseSync(this.#path);
    try {
      db.exec(`pragma busy_timeout = ${BUSY_MS}`);
      if (this.#size > 0 && this.#size <= CHECKED_BYTES) checkWhole(db);
      this.#open = db;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** A connection that looks at this moment: SQLite takes its view at the first read, not at `begin`. */
  #look(): void {
    const db = new DatabaseSync(this.#path, { readOnly: true });
    try {
      db.exec(`pragma busy_timeout = ${BUSY_MS}`);
      db.exec('begin');
      db.prepare('select count(*) from sqlite_master').get();
      this.#open = db;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  #page({
    cursor: number,
    most,
    statement: [sql, parameters],
  }: Extract<Request, { ask: 'page' }>): unknown[] {
    let cursor = this.#cursors.get(number);
    if (cursor === undefined) {
      const statement = this.#db.prepare(sql);
      cursor = { statement, rows: statement.iterate(...parameters) };
      this.#cursors.set(number, cursor);
    }
    const rows: unknown[] = [];
    while (rows.length < most) {
      const { value, done } = cursor.rows.next();
      if (done === true) break;
      rows.push(value);
    }
    if (rows.length < most) this.#cursors.delete(number);
    return rows;
  }

  #transact(statements: readonly Bound[]): number {
    this.#enter();
    patiently(() => this.#db.exec('begin immediate'));
    const changed = this.#run(statements);
    this.#orBack(() => this.#db.exec('commit'));
    return changed;
  }

  #run(statements: readonly Bound[]): number {
    return this.#orBack(() => {
      let changed = 0;
      for (const [sql, parameters] of statements)
        changed += Number(this.#prepare(sql).run(...parameters).changes);
      return changed;
    });
  }

  /** Back to before the transaction where it cannot go on. */
  #orBack<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      // A full disk has rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  /**
   * Who only looks leaves the file as it is. WAL mode is entered while nobody else looks; `synchronous =
   * FULL` in it syncs every commit, so what was committed survives a power cut.
   */
  #enter(): void {
    if (this.#writes) return;
    patiently(() => this.#db.exec('pragma journal_mode = wal'));
    this.#db.exec('pragma synchronous = full');
    this.#db.exec('pragma foreign_keys = on');
    this.#db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.#writes = true;
  }

  #close(): void {
    this.#prepared.clear();
    if (this.#writes) {
      // Closing would fold the log of writes in, but the driver keeps the connection until its statements are collected as garbage.
      for (const pragma of ['busy_timeout = 0', 'wal_checkpoint(truncate)', 'journal_mode = delete']) {
        try {
          this.#db.exec(`pragma ${pragma}`);
        } catch {
          // Somebody looks at it: the next start reads the log of writes.
        }
      }
    }
    this.#db.close();
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.set(sql, known);
    return known;
  }
}

const nobody = new Int32Array(new SharedArrayBuffer(4));
/** Again until nobody holds the database, for as long as a write waits: a change of the journal asks once by itself. */
function patiently(work: () => void): void {
  for (const deadline = performance.now() + BUSY_MS; ; Atomics.wait(nobody, 0, 0, LOOK_MS)) {
    try {
      return work();
    } catch (error) {
      if ((failureOf(error).sqliteExtendedCode ?? 0) % 256 !== SQLITE_BUSY) throw error;
      if (performance.now() > deadline) throw error;
    }
  }
}

class Damaged extends Error {}
function checkWhole(db: Connection): void {
  const answer = String(Object(db.prepare('pragma quick_check(1)').get()).quick_check);
  if (answer !== 'ok') throw new Damaged(answer);
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined };
  const { message, stack } = error;
  const [extended, code]: unknown[] = [Reflect.get(error, 'sqliteExtendedCode'), Reflect.get(error, 'code')];
  return {
    message,
    stack,
    ...(typeof extended === 'number' && { sqliteExtendedCode: extended }),
    ...(typeof code === 'string' && { code }),
    ...(error instanceof Damaged && { damaged: message }),
  };
}

const database = new Sqlite(workerData as Opened);
parentPort?.on('message', (request: Request) => {
  parentPort?.postMessage(database.answer(request));
});
