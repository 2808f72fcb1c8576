import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backoff } from '@adbreak/shared/backoff.js';
import { AdbreakError, explain, hasCode } from '@adbreak/shared/errors.js';
import { retry } from '@adbreak/shared/retry.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import type pg from 'pg';
import type { Database } from './database.js';
import { connect, type Target, targetOf } from './postgres-connection.js';
import { isAnswer, postgresError } from './postgres-errors.js';
import { lock, markFound, markOf } from './postgres-lock.js';
import { snapshotOf } from './postgres-snapshot.js';
import { send, transaction } from './postgres-transaction.js';
import type { Statement } from './queries.js';

/** A server that restarts is back in seconds; one that is gone is not asked more often than every second. */
const BACKOFF: Backoff = { firstMs: 100, longestMs: 2000, jitter: 0.5 };
/** So long a start waits for the lock: the session of a hub that was killed may still be ending. */
const LOCK_MS = 5000;

export interface PostgresOptions {
  /** Hears when the server is gone, and when it is back. */
  readonly say?: ((line: string) => void) | undefined;
  /** Hears once why this hub may never write to the database again. */
  readonly stop?: ((why: AdbreakError) => void) | undefined;
}

type Session =
  | { readonly kind: 'up'; readonly client: pg.Client }
  | { readonly kind: 'lost'; readonly why: AdbreakError }
  | { readonly kind: 'over'; readonly why: AdbreakError };

/** A transaction whose COMMIT was sent and not answered. */
interface Doubt {
  readonly mark: string;
  readonly settle: (kept: boolean) => void;
  readonly fail: (why: AdbreakError) => void;
}

/**
 * PostgreSQL for one hub. All is written on the one session that holds the hub's lock, so a session that is lost cannot write, and
 * who has the lock again knows that the session before is at its end. With each transaction goes a mark of its own: what is
 * found there says whether the last one was kept, and whether anybody else wrote meanwhile.
 */
export class Postgres implements Database {
  readonly name: string;
  readonly #target: Target;
  readonly #options: PostgresOptions;
  readonly #turns = new SerialRunner();
  readonly #closing = new AbortController();
  readonly #id = randomUUID();
  #session: Session;
  #reconnecting: Promise<void> = Promise.resolve();
  #doubt: Doubt | null = null;
  #count = 0;
  #owns = true;
  /** Of the last transaction that was kept, whoever wrote it. */
  #mark: string | null;

  private constructor(target: Target, client: pg.Client, mark: string | null, options: PostgresOptions) {
    this.name = target.name;
    this.#target = target;
    this.#options = options;
    this.#mark = mark;
    this.#session = { kind: 'up', client };
    this.#listen(client);
  }

  /** The hub's: throws `conflict` where another hub has the database, `store_unreachable` where it cannot be reached. */
  static async open(url: string, options: PostgresOptions = {}): Promise<Postgres> {
    const target = targetOf(url);
    const client = await connect(target);
    try {
      for (const deadline = Date.now() + LOCK_MS; !(await lock(client)); await sleep(100))
        if (Date.now() > deadline) throw taken(target.name);
      return new Postgres(target, client, await markFound(client), options);
    } catch (error) {
      client.end().catch(() => undefined);
      throw postgresError(error, target.name, 'open');
    }
  }

  /** Beside a hub, for who looks: without the lock, and lost for good when the session is. */
  static async beside(url: string): Promise<Postgres> {
    const target = targetOf(url);
    const database = new Postgres(target, await connect(target), null, {});
    database.#owns = false;
    return database;
  }

  /** Why nothing can be read or written just now; null where it can. */
  get trouble(): AdbreakError | null {
    return this.#session.kind === 'up' ? null : this.#session.why;
  }

  async transact(
    statements: Iterable<Statement> | AsyncIterable<Statement>,
  ): Promise<{ readonly changed: number }> {
    const { changed, doubt } = await this.#turns.run(() => this.#attempt(statements));
    // Outside of its turn: what comes meanwhile is refused, and does not wait.
    if (doubt !== null) await doubt;
    return { changed };
  }

  rows(statement: Statement): Promise<unknown[]> {
    return this.#turns.run(async () => {
      const client = this.#client();
      try {
        return (await send(client, statement)).rows;
      } catch (error) {
        throw this.#failed(error, client, 'read');
      }
    });
  }

  snapshot<T>(work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>): Promise<T> {
    return snapshotOf(this.#target, work);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const session = this.#session;
    const why = new AdbreakError('store_unreachable', `Cannot use ${this.name}: it is closed`);
    this.#session = { kind: 'over', why };
    this.#doubt?.fail(unknown(this.name));
    await this.#reconnecting;
    if (session.kind === 'up') {
      // What was asked for before is still done.
      await this.#turns.run(() => undefined);
      await session.client.end().catch(() => undefined);
    }
  }

  #client(): pg.Client {
    if (this.#session.kind === 'up') return this.#session.client;
    throw this.#session.why;
  }

  async #attempt(statements: Iterable<Statement> | AsyncIterable<Statement>) {
    const client = this.#client();
    const mark = `${this.#id} ${++this.#count}`;
    const work = transaction(client, statements, markOf(mark));
    try {
      await work.done();
      this.#mark = mark;
      return { changed: work.changed, doubt: null };
    } catch (error) {
      const failure = this.#failed(error, client, 'write');
      if (isAnswer(error) || !work.committing) throw failure;
      return { changed: work.changed, doubt: this.#doubtful(mark, failure) };
    }
  }

  /** Resolves once the lock is held again and the transaction was found there; rejects where it was not. */
  #doubtful(mark: string, failure: unknown): Promise<void> {
    return new Promise<void>((resolve, fail) => {
      const settle = (kept: boolean) => (kept ? resolve() : fail(failure));
      this.#doubt = { mark, settle, fail };
      if (this.#session.kind === 'over') fail(this.#session.why);
    });
  }

  /** What is thrown for an error; one that no server sent means that the session is lost. */
  #failed(error: unknown, client: pg.Client, what: 'read' | 'write'): unknown {
    const coded = postgresError(error, this.name, what);
    if (!isAnswer(error)) this.#lose(client, error);
    return coded;
  }

  #listen(client: pg.Client): void {
    client.once('end', () => this.#lose(client, new Error('the server ended the session')));
  }

  #lose(client: pg.Client, error: unknown): void {
    if (this.#session.kind !== 'up' || this.#session.client !== client) return;
    client.end().catch(() => undefined);
    const why = this.#unreachable(error);
    this.#session = { kind: this.#owns ? 'lost' : 'over', why };
    if (!this.#owns) return;
    this.#options.say?.(`${explain(why)}; nothing is acknowledged until it is back`);
    this.#reconnecting = this.#reconnect();
  }

  #unreachable(error: unknown): AdbreakError {
    const coded = postgresError(error, this.name, 'reach');
    return coded instanceof AdbreakError
      ? coded
      : new AdbreakError('store_unreachable', `Cannot reach ${this.name}`, { cause: coded });
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    try {
      const client = await retry(() => this.#again(), {
        backoff: BACKOFF,
        signal,
        uniform: Math.random,
        retryable: (error) => !hasCode(error, 'conflict'),
        onFailure: (error) => {
          this.#session = { kind: 'lost', why: this.#unreachable(error) };
        },
      });
      if (signal.aborted) return void client.end().catch(() => undefined);
      this.#session = { kind: 'up', client };
      this.#listen(client);
      this.#options.say?.(`${this.name} is back`);
    } catch (error) {
      if (signal.aborted) return;
      const why = this.#unreachable(error);
      this.#session = { kind: 'over', why };
      this.#doubt?.fail(why);
      this.#options.stop?.(why);
    }
  }

  /** A session that holds the lock, over a database that is as this hub left it. */
  async #again(): Promise<pg.Client> {
    const client = await connect(this.#target);
    try {
      const held = await lock(client);
      const found = await markFound(client);
      const kept = found === this.#doubt?.mark;
      if (!kept && found !== this.#mark) throw foreign(this.name);
      if (!held) throw taken(this.name, 'store_unreachable');
      this.#mark = found;
      this.#doubt?.settle(kept);
      this.#doubt = null;
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
  }
}

function taken(name: string, code: 'conflict' | 'store_unreachable' = 'conflict'): AdbreakError {
  return new AdbreakError(code, `Cannot open ${name}: another hub works with this database`, {
    remedy: 'Stop it, or give this hub a database of its own: `store` in settings.json.',
  });
}
function foreign(name: string): AdbreakError {
  return new AdbreakError(
    'conflict',
    `Cannot go on with ${name}: it is not as this hub left it; another hub has written to it, or it was restored`,
    { remedy: 'See that one hub alone has this database, and start it again: it reads what is there now.' },
  );
}
function unknown(name: string): AdbreakError {
  return new AdbreakError(
    'store_unreachable',
    `Cannot say whether the last change was kept: the hub stops, and ${name} has not answered`,
    { remedy: 'Look at it when the hub runs again: it reads what was kept.' },
  );
}
