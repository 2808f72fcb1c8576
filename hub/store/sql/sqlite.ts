import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';
import { DatabaseSync } from '@photostructure/sqlite';
import { z } from 'zod';
import type { Database } from './database.js';
import { type Statement, spelled } from './queries.js';

/** So long a write waits for another program that holds the database, such as a backup; other work goes on meanwhile. */
const BUSY_MS = 1000;
/** SQLite's own waiting holds the whole hub up. */
const BLOCKING_MS = 10;
/** Pages of 4 KiB after which the log of writes goes into the file. */
const CHECKPOINT_PAGES = 500;
/** A file up to this size is read through at every start; a larger one would take seconds. */
const CHECKED_BYTES = 64 * 1024 * 1024;

/** Rows of a snapshot after which other work of the process has its turn. */
const ROWS_A_TURN = 200;

type Connection = InstanceType<typeof DatabaseSync>;
type Prepared = ReturnType<Connection['prepare']>;

/**
 * SQLite in this process: its calls are synchronous, and a commit waits for the disk. `synchronous = FULL` in WAL mode syncs
 * every commit, so what was committed survives a power cut.
 */
export class Sqlite implements Database {
  readonly name: string;
  readonly #db: Connection;
  readonly #turns = new SerialRunner();
  readonly #prepared = new Map<string, Prepared>();
  #writes = false;

  private constructor(name: string, db: Connection) {
    this.name = name;
    this.#db = db;
  }

  /** Opens the file, or makes it, for its owner alone. Throws `state_corrupt` where it is no database or a damaged one. */
  static async open(path: string): Promise<Sqlite> {
    try {
      // SQLite gives its other files the mode of this one.
      await (await open(path, 'a', 0o600)).close();
      const { size } = await stat(path);
      const db = new DatabaseSync(path);
      try {
        db.exec(`pragma busy_timeout = ${BUSY_MS}`);
        if (size > 0 && size <= CHECKED_BYTES) checkWhole(db, path);
        return new Sqlite(path, db);
      } catch (error) {
        db.close();
        throw error;
      }
    } catch (error) {
      throw coded(error, path, 'open');
    }
  }

  transact(
    statements: Iterable<Statement> | AsyncIterable<Statement>,
  ): Promise<{ readonly changed: number }> {
    return this.#turns.run(async () => {
      try {
        await this.#enter();
        await patiently(() => this.#db.exec('begin immediate'));
        return { changed: await this.#run(statements) };
      } catch (error) {
        throw coded(error, this.name, 'write');
      }
    });
  }

  /** In a transaction that has begun: to its end, or back to before it. */
  async #run(statements: Iterable<Statement> | AsyncIterable<Statement>): Promise<number> {
    let changed = 0;
    const run = (statement: Statement) => {
      changed += Number(this.#prepare(statement).run(...statement.parameters).changes);
    };
    try {
      if (Symbol.asyncIterator in statements) for await (const statement of statements) run(statement);
      else for (const statement of statements) run(statement);
      this.#db.exec('commit');
      return changed;
    } catch (error) {
      // A full disk has rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  prepare(): Promise<void> {
    return this.#turns.run(async () => {
      try {
        await this.#enter();
      } catch (error) {
        throw coded(error, this.name, 'write');
      }
    });
  }

  async rows(statement: Statement): Promise<unknown[]> {
    try {
      return this.#prepare(statement).all(...statement.parameters);
    } catch (error) {
      throw coded(error, this.name, 'read');
    }
  }

  async snapshot<T>(
    work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>,
  ): Promise<T> {
    const db = openToRead(this.name);
    const path = this.name;
    // The driver's iterators do not hold their statement: collected under them, it takes the process with it.
    const held = new Set<Prepared>();
    async function* rows(statement: Statement): AsyncGenerator<unknown> {
      try {
        const prepared = db.prepare(spelled(statement, 'sqlite'));
        held.add(prepared);
        let left = ROWS_A_TURN;
        for (const row of prepared.iterate(...statement.parameters)) {
          yield row;
          if (--left > 0) continue;
          left = ROWS_A_TURN;
          await new Promise((resolve) => setImmediate(resolve));
        }
      } catch (error) {
        throw coded(error, path, 'read');
      }
    }
    try {
      return await work(rows);
    } finally {
      held.clear();
      // The driver keeps a connection until its statements are collected: what it looks at must be let go of here.
      if (db.isTransaction) db.exec('rollback');
      db.close();
    }
  }

  async close(): Promise<void> {
    if (!this.#db.isOpen) return;
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

  /** Who only looks leaves the file as it is. WAL mode is entered while nobody else looks. */
  async #enter(): Promise<void> {
    if (this.#writes) return;
    this.#db.exec(`pragma busy_timeout = ${BLOCKING_MS}`);
    await patiently(() => this.#db.exec('pragma journal_mode = wal'));
    this.#db.exec('pragma synchronous = full');
    this.#db.exec('pragma foreign_keys = on');
    this.#db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.#writes = true;
  }

  #prepare(statement: Statement): Prepared {
    const sql = spelled(statement, 'sqlite');
    const known = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.set(sql, known);
    return known;
  }
}

/** Again until nobody holds the database, for as long as a write waits. */
async function patiently(work: () => void): Promise<void> {
  for (const deadline = performance.now() + BUSY_MS; ; await sleep(BLOCKING_MS)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
  }
}
function isBusy(error: unknown): boolean {
  return ((sqliteError.safeParse(error).data?.sqliteExtendedCode ?? 0) & 0xff) === KIND.busy;
}

/** A connection of its own that looks at this moment: SQLite takes its view at the first read, not at `begin`. */
function openToRead(path: string): Connection {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      db.exec(`pragma busy_timeout = ${BUSY_MS}`);
      db.exec('begin');
      db.prepare('select count(*) from sqlite_master').get();
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw coded(error, path, 'open');
  }
}

const said = z.object({ quick_check: z.string() });
function checkWhole(db: Connection, path: string): void {
  const answer = said.parse(db.prepare('pragma quick_check(1)').get());
  if (answer.quick_check !== 'ok')
    throw new AdbreakError(
      'state_corrupt',
      `Cannot read ${path}: the database is damaged: ${answer.quick_check}`,
      { remedy: RESTORE },
    );
}

const RESTORE = 'Restore the whole state folder from a backup; what is here was not changed.';
/** SQLite's result codes (sqlite.org/rescode.html): the low byte says which kind, the rest which of its kind. */
const KIND = {
  error: 1,
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  notadb: 26,
} as const;

const sqliteError = z.object({ sqliteExtendedCode: z.int() });
function coded(error: unknown, path: string, what: 'open' | 'read' | 'write'): unknown {
  const parsed = sqliteError.safeParse(error);
  if (!parsed.success) return systemCode(error) === undefined ? error : storageError(error, path);
  const kind = parsed.data.sqliteExtendedCode & 0xff;
  // A header that SQLite knows no format by is a plain error, not one of damage.
  switch (what === 'open' && kind === KIND.error ? KIND.notadb : kind) {
    case KIND.full:
      return new AdbreakError('disk_full', `Cannot write ${path}: no space left on its volume`, {
        cause: error,
      });
    case KIND.corrupt:
    case KIND.notadb:
      return new AdbreakError(
        'state_corrupt',
        `Cannot ${what} ${path}: it is no database, or a damaged one`,
        { cause: error, remedy: RESTORE },
      );
    case KIND.busy:
    case KIND.locked:
      return new AdbreakError('state_unwritable', `Cannot ${what} ${path}: another program holds it`, {
        cause: error,
        remedy: 'Let that program end; the hub tries again with the next change.',
      });
    case KIND.readonly:
    case KIND.cantopen:
    case KIND.ioerr:
      return new AdbreakError('state_unwritable', `Cannot ${what} ${path}: the disk refuses it`, {
        cause: error,
        remedy:
          'Look at the volume and its kernel messages; nothing is acknowledged until it can be written.',
      });
    default:
      return error;
  }
}
