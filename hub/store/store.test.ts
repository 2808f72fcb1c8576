import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { LowdbStore } from './store.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

test('a state of 0.1.0 is taken over: devices, models and tokens stay, its rollouts end, the old file is kept', async () => {
  const folder = await temporaryFolder();
  const token = { id: 'first', hash: 'a'.repeat(64), role: 'admin', created: now().toISOString() };
  const old = JSON.stringify({ schema: 1, claims: [], tokens: [token], devices: {}, models: {}, rollouts: [{ id: 'r', plan: { minMinutes: 1 } }] });
  await writeFile(join(folder, 'hub.json'), old);
  const store = await LowdbStore.open(folder, now);
  assert.deepEqual([store.state.schema, store.state.tokens[0]?.id, store.state.rollouts.length], [2, 'first', 0]);
  assert.equal(await readFile(join(folder, 'hub.0.1.0.json'), 'utf8'), old);
  await store.change(() => undefined);
  assert.equal((await LowdbStore.open(folder, now)).state.tokens.length, 1);
});

test('a state that fits no schema is refused and not overwritten', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'hub.json'), '{"schema":2,"claims":[]}');
  await assert.rejects(LowdbStore.open(folder, now), (error: unknown) => error instanceof AdbreakError && error.code === 'state_corrupt');
  assert.equal(await readFile(join(folder, 'hub.json'), 'utf8'), '{"schema":2,"claims":[]}');
});
