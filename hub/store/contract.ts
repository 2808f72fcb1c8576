import assert from 'node:assert/strict';
import { afterEach, type TestContext, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { RolloutEvent } from '../rollouts/events.js';
import { PLAN, report, started } from '../rollouts/fixtures.js';
import { start } from '../rollouts/step.js';
import { takeReport } from '../testing/rollups.js';
import { ANNA, AT, deviceEntry, SESSION, TRAINING } from '../testing/state.js';
import { link, NO_LINKS } from './chain.js';
import type { Database } from './sql/database.js';
import { all as allOf, insert, type Statement } from './sql/queries.js';
import type { SqlStore } from './sql-store.js';

/** A place for a store: opened again it is what it was. `wrap` stands between the store and its database. */
export interface Place {
  open(wrap?: (database: Database) => Database): Promise<SqlStore>;
}

/** A database that counts what passes, and fails when it is told to. */
class Watched implements Database {
  readonly name: string;
  commits = 0;
  failure: AdbreakError | null = null;
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
    this.name = database.name;
  }
  get trouble() {
    return this.#database.trouble ?? null;
  }
  transact(statements: Parameters<Database['transact']>[0]) {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.commits += 1;
    return this.#database.transact(statements);
  }
  rows(statement: Parameters<Database['rows']>[0]) {
    return this.#database.rows(statement);
  }
  snapshot<T>(work: (rows: (statement: Statement) => AsyncIterable<unknown>) => Promise<T>) {
    return this.#database.snapshot(work);
  }
  async prepare() {
    await this.#database.prepare?.();
  }
  close() {
    return this.#database.close();
  }
}

const token = (id: string) => ({
  id,
  hash: 'a'.repeat(64),
  role: 'viewer' as const,
  created: '2026-01-01T00:00:00.000Z',
});
const RUNNING = { state: 'running' as const, begun: AT, cancelled: null };
const AUDIT = { who: 'test', what: 'thing.change', subject: 'x' };
const tick = (n: number): RolloutEvent => ({
  kind: 'tick',
  at: new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString(),
  siblings: [],
});
const copy = (state: unknown): unknown => JSON.parse(JSON.stringify(state));
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of items) list.push(one);
  return list;
}

/** What every store does, whatever keeps its rows. */
export function storeContract(name: string, place: () => Promise<Place>): void {
  const titles: string[] = [];
  const run = (title: string, work: (t: TestContext) => Promise<void>) => {
    titles.push(title);
    test(`${name}: ${title}`, work);
  };
  // A test that fails must not leave a session open that keeps its process from ending.
  const opened: SqlStore[] = [];
  afterEach(async () => {
    await Promise.allSettled(opened.splice(0).map((store) => store.close()));
  });
  const watched = async () => {
    const where = await place();
    const watch: { database: Watched | null } = { database: null };
    const store = await where.open((database) => {
      watch.database = new Watched(database);
      return watch.database;
    });
    assert.ok(watch.database !== null);
    opened.push(store);
    return { where, store, database: watch.database };
  };

  run('a transaction is seen when it is kept, and by a store that is opened anew', async () => {
    const { where, store } = await watched();
    const changed = store.change((state) => {
      state.devices['pi-1'] = deviceEntry('pi-1', 'one');
      state.tokens.push(token('a'));
      state.accounts['anna'] = ANNA;
      for (const hash of [SESSION.hash, 'b'.repeat(64)]) state.sessions[hash] = { ...SESSION, hash };
      for (const id of ['t-1', 't-2']) state.trainingJobs[id] = { ...TRAINING, id };
      return state.tokens.length;
    }, AUDIT);
    assert.deepEqual(store.state.devices, Object.create(null), 'not before its commit');
    assert.equal(await changed, 1);
    await store.change(({ accounts, sessions, devices, tokens }) => {
      Object.assign(accounts['anna'] ?? {}, { networks: ['192.0.2.1'], role: 'admin' });
      delete sessions['b'.repeat(64)];
      Object.assign(devices['pi-1'] ?? {}, { sequence: 7 });
      devices['pi-2'] = deviceEntry('pi-2', 'two');
      tokens.push(token('b'));
    });
    await store.change(({ devices, trainingJobs }) => {
      delete devices['pi-2'];
      delete trainingJobs['t-1'];
      Object.assign(trainingJobs['t-2'] ?? {}, { standing: RUNNING });
    });
    const was = copy(store.state);
    assert.deepEqual(
      [store.state.devices['pi-1']?.sequence, Object.keys(store.state.devices)],
      [7, ['pi-1']],
    );
    const { accounts, sessions, trainingJobs } = store.state;
    assert.deepEqual(Object.values(trainingJobs), [{ ...TRAINING, id: 't-2', standing: RUNNING }]);
    assert.deepEqual(accounts['anna'], { ...ANNA, role: 'admin', networks: ['192.0.2.1'] });
    assert.deepEqual(Object.values(sessions), [SESSION]);
    await store.close();
    const again = await where.open();
    assert.deepEqual(copy(again.state), was);
    assert.deepEqual(
      (await all(again.audited())).map(({ body }) => JSON.parse(body).what),
      ['thing.change'],
    );
    await again.close();
  });

  run(
    'an edit that throws is rejected alone, and leaves nothing: no row, no event, no audit line, no fold',
    async () => {
      const { store } = await watched();
      let folded = 0;
      const outcomes = await Promise.allSettled([
        store.change(({ devices }) => void Object.assign(devices, { 'pi-1': deviceEntry('pi-1', 'one') })),
        store.change((state, writing) => {
          writing.event('r', tick(1));
          writing.audit(AUDIT);
          writing.after(() => void folded++);
          Object.assign(state.devices['pi-1'] ?? {}, { sequence: 9 });
          state.tokens.push(token('a'));
          throw new Error('no');
        }, AUDIT),
        store.change((state, writing) => {
          writing.event('r', tick(2));
          return state.devices['pi-1']?.sequence;
        }),
      ]);
      assert.deepEqual(
        outcomes.map((one) => (one.status === 'fulfilled' ? one.value : 'rejected')),
        [undefined, 'rejected', 0],
      );
      assert.deepEqual([store.state.tokens, folded, (await all(store.audited())).length], [[], 0, 0]);
      assert.deepEqual(
        (await all(store.events('r'))).map(({ number, body }) => [number, JSON.parse(body).at]),
        [[1, '2026-01-01T00:02:00.000Z']],
      );
      await store.close();
    },
  );

  run('finding 2: a commit that fails rejects all with its code, and memory is as it was', async () => {
    const { store, database } = await watched();
    await store.change((state) => void state.tokens.push(token('a')));
    const was = copy(store.state);
    database.failure = new AdbreakError('disk_full', 'no space');
    const both = await Promise.allSettled(
      ['b', 'c'].map((id) =>
        store.change((state, writing) => {
          state.tokens.push(token(id));
          state.devices[id] = deviceEntry(id, 'one');
          writing.event('r', tick(1));
          writing.after(() => assert.fail('it was never kept'));
        }),
      ),
    );
    for (const one of both) assert.ok(one.status === 'rejected' && one.reason === database.failure);
    assert.deepEqual([copy(store.state), store.newest('r').number], [was, 0]);
    database.failure = null;
    await store.change((state, writing) => {
      state.tokens.push(token('d'));
      writing.event('r', tick(2));
    });
    assert.deepEqual([store.state.tokens.map(({ id }) => id), store.newest('r').number], [['a', 'd'], 1]);
    await store.close();
  });

  run(
    'transactions that come together share one commit, in their order, each seeing those before it',
    async (t) => {
      const { store, database } = await watched();
      await store.change(
        (state) => void Object.assign(state.devices, { 'pi-1': deviceEntry('pi-1', 'one') }),
      );
      const before = database.commits;
      const folds: number[] = [];
      const seen = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          store.change(({ devices }, writing) => {
            const device = devices['pi-1'];
            writing.after(() => void folds.push(n));
            if (device !== undefined) device.sequence += 1;
            return device?.sequence;
          }),
        ),
      );
      t.diagnostic(`50 transactions in ${database.commits - before} commits`);
      assert.equal(database.commits - before, 1);
      assert.deepEqual(
        seen,
        Array.from({ length: 50 }, (_, n) => n + 1),
      );
      assert.deepEqual(
        folds,
        Array.from({ length: 50 }, (_, n) => n),
      );
      await store.close();
    },
  );

  run('one row that is too long is refused alone; those beside it are kept', async () => {
    const { store } = await watched();
    const outcomes = await Promise.allSettled(
      [10, 5_000_000, 20].map((length) =>
        store.change(
          (_, writing) =>
            void writing.event('r', {
              kind: 'order',
              at: '2026-01-01T00:00:00.000Z',
              who: 'x',
              order: 'pause',
              reason: 'r'.repeat(length),
            }),
        ),
      ),
    );
    assert.deepEqual(
      outcomes.map((one) => (one.status === 'rejected' ? one.reason.code : null)),
      [null, 'input_too_large', null],
    );
    assert.equal(store.newest('r').number, 2);
    await store.close();
  });

  run('events and the audit log are chains, by the hash of all before them', async () => {
    const { where, store } = await watched();
    await store.change((_, writing) => {
      for (let n = 1; n <= 3; n++) writing.event('r', tick(n));
    }, AUDIT);
    await store.change((_, writing) => void writing.event('r', tick(4)), AUDIT);
    await store.close();
    const again = await where.open();
    let head = NO_LINKS;
    for (const one of await all(again.events('r'))) {
      assert.deepEqual(one, link(head, one.body));
      head = one;
    }
    assert.deepEqual([head.number, again.newest('r').hash], [4, head.hash]);
    assert.equal((await all(again.events('r', 3))).length, 1);
    assert.equal((await all(again.audited())).length, 2);
    const numbers = async (before: number, limit: number) =>
      (await again.auditedBefore(before, limit)).map(({ number }) => number);
    assert.deepEqual(
      [await numbers(Number.MAX_SAFE_INTEGER, 5), await numbers(3, 1), await numbers(1, 5)],
      [[2, 1], [2], []],
    );
    await again.close();
  });

  run('names from outside find what is there, and nothing that every object has', async () => {
    const { where, store } = await watched();
    await store.change(({ devices }) => {
      assert.deepEqual(
        [devices['constructor'], Object.hasOwn(devices, 'toString'), 'valueOf' in devices],
        [undefined, false, false],
      );
      devices['constructor'] = deviceEntry('constructor', 'one');
    });
    await store.close();
    const again = await where.open();
    assert.deepEqual(Object.keys(again.state.devices), ['constructor']);
    assert.equal(Object.hasOwn(again.state.devices, 'toString'), false);
    await again.close();
  });

  run('half a character, NUL, quotes and the largest whole number come back as they were', async () => {
    const { where, store, database } = await watched();
    const names = ['\ud800', 'a\0b', '"\\\'; drop table device; --', 'é', 'É', '%_'];
    const sequence = Number.MAX_SAFE_INTEGER;
    await store.change(({ devices }, writing) => {
      for (const one of names) devices[one] = deviceEntry(one, one, { sequence });
      const raw = { device: 'pi-1', sequence, start: '2026-01-01T00:00:00.000Z', body: '"\\u0000é"' };
      writing.report(raw, report(sequence, 0, { agreed: 1 }), { missing: 0, twice: false, unknown: [] });
    });
    const [row] = await database.rows(allOf('report'));
    assert.deepEqual(
      z.object({ position: z.literal(1), sequence: z.number(), body: z.string() }).parse(row),
      { position: 1, sequence, body: '"\\u0000é"' },
    );
    const was = copy(store.state);
    await store.close();
    const again = await where.open();
    assert.deepEqual(copy(again.state), was);
    assert.deepEqual(Object.keys(again.state.devices), names, 'in the order in which they came');
    await again.close();
  });

  run('a row that no start could read is refused alone, and what came with it is kept', async () => {
    const { where, store } = await watched();
    const entry = (id: string, missingWindows: number) =>
      store.change(({ devices }) => {
        devices[id] = deviceEntry(id, 'one', { missingWindows });
      });
    const outcomes = await Promise.allSettled([
      entry('a', 0),
      entry('b', 2 ** 53),
      entry('c', Number.NaN),
      entry('d', 1),
    ]);
    const said = outcomes.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status));
    const expected = [/^fulfilled$/, /keep device b: missingWindows: /, /device c: missing/, /^fulfilled$/];
    for (const [i, words] of expected.entries()) assert.match(said[i] ?? '', words);
    assert.deepEqual(Object.keys(store.state.devices), ['a', 'd']);
    await store.close();
    const again = await where.open();
    assert.deepEqual(Object.keys(again.state.devices), ['a', 'd']);
    await again.close();
  });

  run('what is known of the time is there after a start', async () => {
    const { where, store } = await watched();
    const time = { floor: '2026-01-01T00:00:00.000Z', ahead: { last: '2027-01-01T00:00:00.000Z', stood: 5 } };
    await store.keepTime({ ...time, ahead: null });
    await store.keepTime(time);
    await store.close();
    const again = await where.open();
    assert.deepEqual(again.state.time, time);
    await again.close();
  });

  run('raw reports are purged by age, some at a time', async () => {
    const { store } = await watched();
    await store.change((_, writing) => {
      for (let sequence = 1; sequence <= 700; sequence++)
        takeReport(writing, 'pi-1', report(sequence, 0, { agreed: 1 }));
    });
    assert.equal(await store.purgeReports(new Date('2020-01-01T00:00:00.000Z')), false, 'they are young');
    assert.equal(await store.purgeReports(new Date('2100-01-01T00:00:00.000Z')), true);
    assert.equal(await store.purgeReports(new Date('2100-01-01T00:00:00.000Z')), false);
    await store.close();
  });

  run('statements that end in an error leave nothing, and the database goes on', async () => {
    const { store, database } = await watched();
    const row = insert('report', { device: 'pi-1', sequence: 1, start: 'a', received: 'b', body: '{}' });
    async function* broken(): AsyncGenerator<Statement> {
      yield row;
      throw new Error('killed');
    }
    await assert.rejects(database.transact(broken()), /^Error: killed$/);
    const nonsense = { sql: 'insert into nowhere values (1)', parameters: [] };
    await assert.rejects(database.transact([row, nonsense, row]));
    assert.deepEqual(await database.rows(allOf('report')), []);
    assert.deepEqual(await database.transact([row, row]), { changed: 2 });
    assert.deepEqual(
      (await database.rows(allOf('report'))).map(
        (one) => z.object({ sequence: z.number() }).parse(one).sequence,
      ),
      [1, 1],
    );
    await store.close();
  });

  run('a snapshot is of one moment while writes go on, in pages, and several reads at a time', async () => {
    const { store, database } = await watched();
    const write = (from: number, revoked: boolean) =>
      store.change(({ devices }) => {
        for (let n = from; n < from + 700; n++)
          devices[`pi-${n}`] = deviceEntry(`pi-${n}`, 'one', { revoked });
      });
    await write(0, false);
    const seen = await database.snapshot(async (rows) => {
      // Committed after the snapshot has begun and before it is read, and between its pages.
      await write(350, true);
      const devices: unknown[] = [];
      for await (const row of rows(allOf('device'))) {
        if (devices.length === 250) await write(1050, true);
        if (devices.length === 300) assert.equal((await all(rows(allOf('device')))).length, 700);
        devices.push(row);
      }
      assert.equal(
        (await all(rows({ sql: "select body from device where id = 'pi-1050'", parameters: [] }))).length,
        0,
      );
      for await (const _ of rows(allOf('device'))) break;
      return devices.map((row) => z.object({ body: z.string() }).parse(row).body);
    });
    assert.equal(seen.length, 700);
    assert.ok(seen.every((body) => body.includes('"revoked":false')));
    assert.equal((await database.snapshot((rows) => all(rows(allOf('device'))))).length, 1750);
    await assert.rejects(
      database.snapshot(() => Promise.reject(new Error('no'))),
      /^Error: no$/,
    );
    await assert.rejects(
      database.snapshot((rows) => all(rows({ sql: "insert into meta values ('a', 'b')", parameters: [] }))),
    );
    await store.change((state) => void state.tokens.push(token('a')));
    await store.close();
  });

  run(
    'a close that cannot write says so and leaves nothing open; the next start folds what it did not write',
    async () => {
      const { where, store, database } = await watched();
      const begin = started(PLAN);
      const { id } = begin.rollout;
      await store.change((state, writing) => {
        const seen = writing.event(id, begin);
        state.rollouts.push({ ...start(begin), seen });
      });
      await store.change((_, writing) => {
        const seen = writing.event(id, tick(1));
        writing.after((state) => {
          state.rollouts = state.rollouts.map((one) => ({ ...one, seen }));
        });
      });
      database.failure = new AdbreakError('disk_full', 'no space');
      await assert.rejects(store.close(), database.failure);
      await assert.rejects(database.rows(allOf('device')), 'its database is closed');
      const again = await where.open();
      assert.equal(again.state.rollouts[0]?.seen, 2);
      await again.change((state) => void state.tokens.push(token('a')));
      await again.close();
    },
  );

  run('after the close nothing is taken', async (t) => {
    t.diagnostic(`the contract: ${titles.length} tests on ${name}`);
    const { store } = await watched();
    await store.close();
    await assert.rejects(
      store.change(() => undefined),
      { code: 'hub_unreachable' },
    );
  });
}
