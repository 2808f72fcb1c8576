import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { Taken, TakenFacts } from '../monitoring/fold.js';
import { purgedUntil } from '../monitoring/rebuild.js';
import { type Merged, SqlRollups } from '../monitoring/sql-rollups.js';
import { writeFacts } from '../monitoring/taken.js';
import { EVENT_LIMIT, type RolloutEvent, rolloutEvent } from '../rollouts/events.js';
import { type Head, type Link, link, NO_LINKS } from './chain.js';
import { commit, Drafts } from './draft.js';
import type { HubTime } from './hub-time.js';
import { type Origin, originNow } from './origin.js';
import { putTime, statementsOf } from './rows.js';
import type { Database } from './sql/database.js';
import {
  insert,
  links,
  linksBefore,
  lowestBefore,
  put,
  type Row,
  removeUpTo,
  type Statement,
} from './sql/queries.js';
import type { HubState } from './state.js';
import type { AuditEntry, RawReport, Store, Writing } from './store.js';

/** Transactions that share a commit at most; whoever comes while they are written makes the next one. Their rollups are merged in one go, which holds the loop. */
const MOST_AT_ONCE = 50;
const PAGE = 500;
/** After so long without an answer of the database its callers are let go, as after a lost connection. */
const ANSWER_MS = 15_000;
const PURGED_AT_ONCE = 500;
const receivedRow = z.object({ received: z.string() });
export const AUDIT = 'audit';
export const rolloutChain = (id: string) => `rollout ${id}`;

interface Pending {
  readonly edit: (state: HubState, writing: Writing) => unknown;
  readonly audit: AuditEntry | undefined;
  readonly origin: Origin | undefined;
  readonly done: (value: never) => void;
  readonly fail: (reason: unknown) => void;
}
interface Logged {
  readonly chain: string;
  readonly link: Link;
  readonly row: (link: Link) => Statement;
}
/** What a transaction wrote beside the state. */
interface Written {
  readonly logged: readonly Logged[];
  readonly reports: readonly Statement[];
  readonly taken: readonly Taken[];
  readonly folds: readonly ((state: HubState) => void)[];
}

/** The store over rows of a database, written by this process alone. docs/decisions/012-store.md. */
export class SqlStore implements Store {
  readonly rollups: SqlRollups;
  readonly #database: Database;
  readonly #state: HubState;
  readonly #heads: Map<string, Head>;
  readonly #now: () => Date;
  readonly #limit: number | undefined;
  #waiting: Pending[] = [];
  #running: Promise<void> | null = null;
  #closed = false;
  /** Rollouts whose memory is ahead of their row, by events or by a look: written at the close. */
  readonly #ahead = new Set<string>();

  constructor(
    database: Database,
    state: HubState,
    heads: Map<string, Head>,
    now: () => Date,
    limit?: number,
  ) {
    this.#database = database;
    this.#state = state;
    this.#heads = heads;
    this.#now = now;
    this.#limit = limit;
    this.rollups = new SqlRollups(database, (statements) => this.#alone(statements));
  }

  get state(): Readonly<HubState> {
    return this.#state;
  }

  change<T>(edit: (state: HubState, writing: Writing) => T, audit?: AuditEntry): Promise<T> {
    if (this.#closed)
      return Promise.reject(
        new AdbreakError('hub_unreachable', 'Cannot change anything: the hub is being stopped'),
      );
    const { trouble } = this.#database;
    if (trouble) return Promise.reject(trouble);
    return new Promise<T>((done, fail) => {
      this.#waiting.push({ edit, audit, origin: originNow(), done, fail });
      this.#running ??= this.#run();
    });
  }

  amend(edit: (state: HubState) => void): void {
    const before = [...this.#state.rollouts];
    edit(this.#state);
    for (const [i, one] of this.#state.rollouts.entries()) if (one !== before[i]) this.#ahead.add(one.id);
  }

  async *events(rollout: string, after = 0): AsyncGenerator<Link> {
    yield* linksOf(this.#database, 'event', { rollout }, after);
  }

  newest(rollout: string): Head {
    return this.#heads.get(rolloutChain(rollout)) ?? NO_LINKS;
  }

  async *audited(): AsyncGenerator<Link> {
    yield* linksOf(this.#database, 'audit', {}, 0);
  }

  async auditedBefore(number: number, limit: number): Promise<Link[]> {
    const rows = await this.#database.rows(linksBefore('audit', number, limit));
    return rows.map((row) =>
      check(linkRow, row, `audit before ${number} of ${this.#database.name}`, 'state_corrupt'),
    );
  }

  async purgeReports(before: Date): Promise<boolean> {
    const old = lowestBefore('report', 'received', before.toISOString(), PURGED_AT_ONCE);
    const times = (await this.#database.rows(old)).map((row) =>
      check(receivedRow, row, `a report of ${this.#database.name}`, 'state_corrupt'),
    );
    const last = times.at(-1)?.received;
    if (last === undefined) return false;
    await this.#alone([removeUpTo('report', 'received', last), purgedUntil(last)]);
    return times.length === PURGED_AT_ONCE;
  }

  async keepTime(time: HubTime): Promise<void> {
    const { trouble } = this.#database;
    if (trouble) throw trouble;
    await this.#alone([putTime(time)]);
    Object.assign(this.#state, { time });
  }

  /** Writes what no edit asked for; the database does one transaction at a time. */
  async #alone(statements: readonly Statement[]): Promise<{ readonly changed: number }> {
    await this.#running;
    return this.#database.transact(statements);
  }

  /** Memory that is ahead of its rows is written, so that the next start has less to fold. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const ahead = () => this.#state.rollouts.some(({ id }) => this.#ahead.has(id));
    try {
      if (ahead())
        await this.change((state) => {
          state.rollouts = state.rollouts.map((one) => (this.#ahead.has(one.id) ? { ...one } : one));
        });
    } finally {
      // What could not be written is folded from its events at the next start.
      this.#closed = true;
      // A database that is gone may never answer what was begun.
      if (this.#database.trouble) await this.#database.close();
      await this.#running;
      await this.#database.close();
    }
  }

  /** Never rejects: each transaction's caller hears of its own failure. */
  async #run(): Promise<void> {
    // What comes with the same packets, or while others are written, is taken together.
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.#write(this.#waiting.splice(0, MOST_AT_ONCE));
    }
    this.#running = null;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const drafts = new Drafts(this.#state);
    const heads = new Heads(this.#heads);
    const kept: { readonly pending: Pending; readonly value: unknown; readonly written: Written }[] = [];
    for (const pending of batch) {
      try {
        const writing = new Notes(heads, this.#now, pending.origin);
        const value = drafts.run((state) => {
          if (pending.audit !== undefined) writing.audit(pending.audit);
          return pending.edit(state, writing);
        });
        heads.keep(writing.logged);
        kept.push({ pending, value, written: writing });
      } catch (error) {
        pending.fail(error);
      }
    }
    const { changes } = drafts;
    let rollups: Merged | null = null;
    // Memory follows the database when that answers; who waits is told that nobody knows.
    const impatience = setTimeout(() => {
      const why = unanswered(this.#database.name);
      for (const { pending } of kept) pending.fail(why);
      for (const pending of this.#waiting.splice(0)) pending.fail(why);
    }, ANSWER_MS);
    try {
      rollups = await this.rollups.merge(kept.flatMap(({ written }) => written.taken));
      const statements = [
        ...statementsOf(this.#state, changes, this.#limit),
        ...kept.flatMap(({ written }) => [
          ...written.logged.map(({ link: one, row }) => row(one)),
          ...written.reports,
        ]),
        ...rollups.statements,
        ...[...heads.kept].map(([chain, head]) => put('head', { chain }, { ...head })),
      ];
      if (statements.length > 0) await this.#database.transact(statements);
    } catch (error) {
      rollups?.drop();
      // One that nobody can write is refused alone; a disk that fails refuses all.
      if (kept.length > 1 && hasCode(error, 'input_too_large', 'input_invalid')) {
        for (const { pending } of kept) await this.#write([pending]);
        return;
      }
      for (const { pending } of kept) pending.fail(error);
      return;
    } finally {
      clearTimeout(impatience);
    }
    commit(this.#state, changes);
    rollups.keep();
    for (const { id } of changes.lists.rollouts ?? []) if (heads.writes(id)) this.#ahead.delete(id);
    for (const [chain, head] of heads.kept) this.#heads.set(chain, head);
    for (const { pending, value, written } of kept) {
      for (const fold of written.folds) this.amend(fold);
      pending.done(value as never);
    }
  }
}

function unanswered(name: string): AdbreakError {
  return new AdbreakError(
    'store_unreachable',
    `Cannot say yet whether a change was kept: ${name} has not answered for ${ANSWER_MS / 1000} s`,
    { remedy: 'Look at what is there before you ask again; the hub finds out when the database answers.' },
  );
}

/** The heads of the chains as a batch moves them on. */
class Heads {
  readonly #before: ReadonlyMap<string, Head>;
  readonly kept = new Map<string, Head>();
  constructor(before: ReadonlyMap<string, Head>) {
    this.#before = before;
  }
  of(chain: string): Head {
    return this.kept.get(chain) ?? this.#before.get(chain) ?? NO_LINKS;
  }
  keep(logged: readonly Logged[]): void {
    for (const { chain, link: one } of logged) this.kept.set(chain, { number: one.number, hash: one.hash });
  }
  writes(rollout: string): boolean {
    return this.kept.has(rolloutChain(rollout));
  }
}

/** What one edit writes beside the state; forgotten where it throws. */
class Notes implements Writing, Written {
  readonly #heads: Heads;
  readonly #own = new Map<string, Head>();
  readonly #now: () => Date;
  readonly #origin: Origin | undefined;
  readonly logged: Logged[] = [];
  readonly reports: Statement[] = [];
  readonly taken: Taken[] = [];
  readonly folds: ((state: HubState) => void)[] = [];

  constructor(heads: Heads, now: () => Date, origin: Origin | undefined) {
    this.#heads = heads;
    this.#now = now;
    this.#origin = origin;
  }

  event(rollout: string, event: RolloutEvent): number {
    return this.#log(rolloutChain(rollout), eventBody(event, rollout), (one) =>
      eventRow(rollout, event, one),
    );
  }

  audit(entry: AuditEntry): void {
    const at = this.#now().toISOString();
    this.#log(AUDIT, JSON.stringify({ at, ...entry, ...this.#origin }), (one) => auditRow(at, one));
  }

  report({ device, sequence, start, body }: RawReport, report: WindowReport, facts: TakenFacts): void {
    const received = this.#now();
    this.taken.push({ device, report, received: received.getTime(), ...facts });
    this.reports.push(
      insert('report', {
        device,
        sequence,
        start,
        received: received.toISOString(),
        body,
        taken: writeFacts(facts),
      }),
    );
  }

  after(fold: (state: HubState) => void): void {
    this.folds.push(fold);
  }

  #log(chain: string, body: string, row: (link: Link) => Statement): number {
    const next = link(this.#own.get(chain) ?? this.#heads.of(chain), body);
    this.#own.set(chain, { number: next.number, hash: next.hash });
    this.logged.push({ chain, link: next, row });
    return next.number;
  }
}

export function eventRow(
  rollout: string,
  event: RolloutEvent,
  { number, body, previous, hash }: Link,
): Statement {
  return insert('event', {
    rollout,
    number,
    at: event.kind === 'decision' ? event.entry.at : event.at,
    kind: event.kind,
    body,
    previous,
    hash,
  });
}
export function auditRow(at: string, { number, body, previous, hash }: Link): Statement {
  return insert('audit', { number, at, body, previous, hash });
}
/** The links of a chain after one of them, a page at a time. */
export async function* linksOf(
  database: Database,
  table: 'event' | 'audit',
  keys: Row,
  after: number,
): AsyncGenerator<Link> {
  for (let last = after; ; ) {
    const page = (await database.rows(links(table, keys, last, PAGE))).map((row) =>
      check(linkRow, row, `${table} after ${last} of ${database.name}`, 'state_corrupt'),
    );
    yield* page;
    if (page.length < PAGE) return;
    last = page.at(-1)?.number ?? last;
  }
}
const linkRow = z.object({
  number: z.int(),
  body: z.string().max(EVENT_LIMIT),
  previous: z.string(),
  hash: z.string(),
});

/** An event's line. What its schema does not take would close the log for ever, so it is refused; reports have been read by theirs. */
export function eventBody(event: RolloutEvent, rollout: string): string {
  const body = JSON.stringify(event);
  if (body.length > EVENT_LIMIT)
    throw new AdbreakError(
      'input_too_large',
      `Cannot keep an event of rollout ${rollout}: ${body.length} characters, at most ${EVENT_LIMIT}`,
    );
  if (event.kind === 'window') return body;
  const read = rolloutEvent.safeParse(JSON.parse(body));
  if (!read.success)
    throw new AdbreakError(
      'input_invalid',
      `Cannot keep an event of rollout ${rollout}: ${read.error.issues[0]?.message ?? ''}`,
    );
  return body;
}
