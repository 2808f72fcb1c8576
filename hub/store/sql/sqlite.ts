import { open, stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import type { Database } from './database.js';
import { type Statement, spelled } from './queries.js';
import { coded, damaged } from './sqlite-errors.js';
import type { Answer, Bound, Failure, Opened, Request } from './sqlite-thread.js';

/** Statements that go to the thread at once, of a transaction that is made while it is written. */
const STATEMENTS_AT_ONCE = 100;
/** Rows of a snapshot that come from its thread at once. */
const ROWS_AT_ONCE = 200;

/** SQLite in a thread of this process (sqlite-thread.ts), with one connection that reads and writes. */
export class Sqlite implements Database {
  readonly name: string;
  readonly #thread: Thread;
  readonly #turns = new SerialRunner();
  #closed = false;

  private constructor(name: string, thread: Thread) {
    this.name = name;
    this.#thread = thread;
  }

  /** Opens the file, or makes it, for its owner alone. Throws `state_corrupt` where it is no database or a damaged one. */
  static async open(
    path: string,
    /** Told where the thread ends by itself: nothing can be written any more. */
    stop: (why: AdbreakError) => void = () => undefined,
  ): Promise<Sqlite> {
    let size: number;
    try {
      // SQLite gives its other files the mode of this one.
      await (await open(path, 'a', 0o600)).close();
      ({ size } = await stat(path));
    } catch (error) {
      throw coded(error, path, 'open');
    }
    const thread = new Thread(path, size, stop);
    try {
      await thread.ask({ ask: 'open' });
      return new Sqlite(path, thread);
    } catch (error) {
      await thread.end();
      throw error;
    }
  }

  transact(
    statements: Iterable<Statement> | AsyncIterable<Statement>,
  ): Promise<{ readonly changed: number }> {
    return this.#turns.run(async () => {
      const changed = Array.isArray(statements)
        ? await this.#thread.change({ ask: 'transact', statements: statements.map(bound) })
        : await this.#writeAsMade(statements);
      return { changed };
    });
  }

  /** A transaction whose statements are made while it is written, and may be more than memory holds. */
  async #writeAsMade(statements: Iterable<Statement> | AsyncIterable<Statement>): Promise<number> {
    const thread = this.#thread;
    await thread.ask({ ask: 'begin' });
    try {
      // A list that is not whole is taken one by one: who makes it may end with it.
      const most = Symbol.asyncIterator in statements ? STATEMENTS_AT_ONCE : 1;
      let changed = 0;
      let part: Bound[] = [];
      const write = async () => {
        changed += await thread.change({ ask: 'run', statements: part });
        part = [];
      };
      for await (const statement of statements) {
        part.push(bound(statement));
        if (part.length >= most) await write();
      }
      if (part.length > 0) await write();
      await thread.ask({ ask: 'commit' });
      return changed;
    } catch (error) {
      await thread.ask({ ask: 'rollback' });
      throw error;
    }
  }

  async prepare(): Promise<void> {
    await this.#turns.run(() => this.#thread.ask({ ask: 'prepare' }));
  }

  rows(statement: Statement): Promise<unknown[]> {
    return this.#thread.rows({ ask: 'rows', statement: bound(statement) });
  }

  async snapshot<T>(
    work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>,
  ): Promise<T> {
    const thread = new Thread(this.name, 0);
    let statements = 0;
    async function* rows(statement: Statement): AsyncGenerator<unknown> {
      statements += 1;
      const request = {
        ask: 'page',
        cursor: statements,
        most: ROWS_AT_ONCE,
        statement: bound(statement),
      } as const;
      for (;;) {
        const page = await thread.rows(request);
        yield* page;
        if (page.length < ROWS_AT_ONCE) return;
      }
    }
    try {
      await thread.ask({ ask: 'look' });
      return await work(rows);
    } finally {
      await thread.end();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#turns.run(() => this.#thread.ask({ ask: 'close' }));
    } finally {
      await this.#thread.end();
    }
  }
}

function bound(statement: Statement): Bound {
  return [spelled(statement, 'sqlite'), statement.parameters];
}

const WHAT: Partial<Record<Request['ask'], Asked['what']>> = {
  open: 'open',
  look: 'open',
  rows: 'read',
  page: 'read',
};
interface Asked {
  readonly what: 'open' | 'read' | 'write';
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** The other side of the thread: its answers come in the order of the questions. */
class Thread {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #asked: Asked[] = [];
  readonly #onGone: (why: AdbreakError) => void;
  #over: AdbreakError | null = null;
  #ending = false;

  constructor(path: string, size: number, onGone: (why: AdbreakError) => void = () => undefined) {
    this.#path = path;
    this.#onGone = onGone;
    // What the process was started with is not for this thread: debuggers, profiles, probes.
    this.#worker = new Worker(new URL('./sqlite-thread.js', import.meta.url), {
      workerData: { path, size } satisfies Opened,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    this.#worker.on('message', (answer: Answer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#fail(explain(error)));
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail('it has ended');
        resolve();
      });
    });
    this.#worker.unref();
  }

  /** Rejects with what the thread says, coded. */
  ask(request: Request): Promise<Answer> {
    if (this.#over !== null) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      this.#asked.push({ what: WHAT[request.ask] ?? 'write', resolve, reject });
      // A process waits for what it has asked for, and not for a thread with nothing to do.
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  async rows(request: Request): Promise<unknown[]> {
    const answer = await this.ask(request);
    return 'rows' in answer ? [...answer.rows] : [];
  }

  async change(request: Request): Promise<number> {
    const answer = await this.ask(request);
    return 'changed' in answer ? answer.changed : 0;
  }

  /** Its connection is closed for certain: with the thread ends what its statements hold. */
  async end(): Promise<void> {
    this.#ending = true;
    this.#worker.ref();
    await this.#worker.terminate();
    await this.#ended;
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.shift();
    // Whoever ends it waits until it is gone, with an answer that comes late, too.
    if (this.#asked.length === 0 && !this.#ending) this.#worker.unref();
    if ('failed' in answer) asked?.reject(this.#error(answer.failed, asked.what));
    else asked?.resolve(answer);
  }

  #error({ damaged: why, message, ...said }: Failure, what: Asked['what']): unknown {
    if (why !== undefined) return damaged(this.#path, why);
    return coded(Object.assign(new Error(message), said), this.#path, what);
  }

  #fail(why: string): void {
    const first = this.#over === null;
    this.#over ??= new AdbreakError(
      'state_unwritable',
      `Cannot use ${this.#path}: its thread is gone: ${why}`,
      {
        remedy: 'Start the hub again.',
      },
    );
    for (const { reject } of this.#asked.splice(0)) reject(this.#over);
    if (first && !this.#ending) this.#onGone(this.#over);
  }
}
