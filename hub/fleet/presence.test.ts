import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../store/open.js';
import { deviceEntry } from '../testing/state.js';
import { correctPresence } from './presence.js';

test('who came or went while the database was away is online or not as the broker knows, and nothing else is written', async (t) => {
  const store = await openStore(await temporaryFolder(), () => new Date());
  t.after(() => store.close());
  await store.change(({ devices }) => {
    for (const [id, online] of [
      ['went', true],
      ['came', false],
      ['stays', true],
    ] as const)
      devices[id] = deviceEntry(id, 'one', { online });
  });
  const there = new Set(['came', 'stays']);
  const at = new Date('2026-05-01T00:00:00.000Z');
  await correctPresence(store, (id) => there.has(id), at);
  const seen = () =>
    Object.values(store.state.devices).map(({ id, online, lastSeen }) => [id, online, lastSeen]);
  const right = [
    ['went', false, at.toISOString()],
    ['came', true, at.toISOString()],
    ['stays', true, null],
  ];
  assert.deepEqual(seen(), right);
  await correctPresence(store, (id) => there.has(id), new Date());
  assert.deepEqual(seen(), right);
});
