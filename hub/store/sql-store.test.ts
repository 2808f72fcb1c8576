import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceEntry } from '../testing/state.js';
import type { Database } from './sql/database.js';
import { SqlStore } from './sql-store.js';
import { emptyState } from './state.js';

test('callers of a database that does not answer are let go, and memory follows when it does', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let answer = () => {};
  let begun = () => {};
  const first = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const database: Database = {
    name: 'slow',
    transact: () => {
      begun();
      return new Promise((resolve) => {
        answer = () => resolve({ changed: 1 });
      });
    },
    rows: () => Promise.resolve([]),
    snapshot: () => Promise.reject(new Error('not here')),
    close: () => Promise.resolve(),
  };
  const store = new SqlStore(database, emptyState(), new Map(), () => new Date());
  const add = (id: string) =>
    store.change(({ devices }) => void Object.assign(devices, { [id]: deviceEntry(id, 'one') }));
  const words = { code: 'store_unreachable', message: /^Cannot say yet whether a change was kept: slow/ };
  const doubtful = assert.rejects(add('pi-1'), words);
  await first;
  const behind = assert.rejects(add('pi-2'), words);
  t.mock.timers.tick(15_000);
  await Promise.all([doubtful, behind]);
  assert.deepEqual(Object.keys(store.state.devices), []);
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    Object.keys(store.state.devices),
    ['pi-1'],
    'what was begun was kept; what waited was not',
  );
});
