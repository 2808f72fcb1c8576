import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../../store/open.js';
import type { Database } from '../../store/sql/database.js';
import { PLAN, started } from '../fixtures.js';
import { start } from '../step.js';
import { RolloutLog } from './log.js';

test('a log is read while more of it is written: it ends where it ended when somebody asked, and nothing is called damaged', async (t) => {
  let reading = Promise.resolve();
  // A database whose answers take a while, as those over a network do.
  const slow = (database: Database): Database => ({
    name: database.name,
    transact: (statements) => database.transact(statements),
    rows: async (statement) => {
      await reading;
      return database.rows(statement);
    },
    snapshot: (work) => database.snapshot(work),
    close: () => database.close(),
  });
  const store = await openStore(await temporaryFolder(), () => new Date(), { wrap: slow });
  t.after(() => store.close());
  const event = started(PLAN);
  const { id } = event.rollout;
  const tick = (minute: number) =>
    store.change((_, writing) =>
      writing.event(id, { kind: 'tick', at: `2026-01-01T00:0${minute}:00.000Z`, siblings: [] }),
    );
  await store.change((state, writing) => {
    state.rollouts.push({ ...start(event), seen: writing.event(id, event) });
  });
  await tick(1);

  const log = new RolloutLog(store);
  const lines = async () => countOf(await log.lines(id));
  const events = () => countOf(log.read(id));
  for (const [read, least] of [
    [lines, 2],
    [events, 4],
  ] as const) {
    let answer = () => {};
    reading = new Promise((resolve) => {
      answer = resolve;
    });
    const found = read();
    await tick(least);
    answer();
    assert.ok((await found) >= least);
    await tick(least + 1);
  }
});

async function countOf(all: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of all) count += 1;
  return count;
}
