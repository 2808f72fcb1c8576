import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { LowdbStore } from './store.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

test('a state of 0.1.0 is taken over: devices, models and tokens stay, its rollouts end, the old file is kept', async () => {
  const folder = await temporaryFolder();
  const token = { id: 'first', hash: 'a'.repeat(64), role: 'admin', created: now().toISOString() };
  const old = JSON.stringify({ schema: 1, claims: [], tokens: [token], devices: {}, models: {}, rollouts: [{ id: 'r', plan: { minMinutes: 1 } }] });
  await writeFile(join(folder, 'hub.json'), old);
  const store = await LowdbStore.open(folder, now);
  assert.deepEqual([store.state.schema, store.state.tokens[0]?.id, store.state.rollouts.length], [3, 'first', 0]);
  assert.equal(await readFile(join(folder, 'hub.before.json'), 'utf8'), old);
  await store.change(() => undefined);
  assert.equal((await LowdbStore.open(folder, now)).state.tokens.length, 1);
});

test('a state with rollouts of the first gate is taken over: they end, their logs stay, everything else is kept', async () => {
  const folder = await temporaryFolder();
  const desired = {
    revision: 7,
    model: MODEL,
    production: { version: '1.0.0', digest: '1'.repeat(64) },
    candidate: null,
    serve: 'production',
    rollout: null,
    labelRate: 1,
  };
  const { exceptions: _, ...entry } = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  const old = {
    schema: 2,
    claims: [],
    tokens: [],
    devices: { 'pi-0': deviceEntry('pi-0', 'one', { sequence: 41 }) },
    models: { [MODEL]: entry },
    rollouts: [{ id: 'r', status: 'running', plan: { name: 'demo', maxSilent: 0.5 }, evidence: { devices: {}, slices: {} } }],
    evaluations: [],
    hours: {},
  };
  Object.assign(old.devices['pi-0'], { desired });
  const log = join(folder, 'rollouts', 'r.jsonl');
  await mkdir(join(folder, 'rollouts'));
  await writeFile(log, '{"kind":"started"}\n');
  await writeFile(join(folder, 'hub.json'), JSON.stringify(old));
  const { state } = await LowdbStore.open(folder, now);
  assert.deepEqual([state.schema, state.rollouts], [3, []]);
  assert.deepEqual([state.devices['pi-0']?.sequence, state.devices['pi-0']?.desired?.revision], [41, 7]);
  assert.deepEqual([state.models[MODEL]?.production, state.models[MODEL]?.exceptions], ['1.0.0', {}]);
  assert.equal(await readFile(log, 'utf8'), '{"kind":"started"}\n');
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'hub.before.json'), 'utf8')), old);
});

test('a state that fits no schema is refused and not overwritten', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'hub.json'), '{"schema":3,"claims":[]}');
  await assert.rejects(LowdbStore.open(folder, now), (error: unknown) => error instanceof AdbreakError && error.code === 'state_corrupt');
  assert.equal(await readFile(join(folder, 'hub.json'), 'utf8'), '{"schema":3,"claims":[]}');
});

test('a state that could not be read back is not written: the change is refused with a code, the file stays', async () => {
  const folder = await temporaryFolder();
  const store = await LowdbStore.open(folder, now, undefined, 2000);
  const claim = { hash: 'a'.repeat(64), device: null, expires: now().toISOString(), usedBy: null, certificate: null };
  await store.change((state) => void state.claims.push(claim));
  const before = await readFile(join(folder, 'hub.json'), 'utf8');
  await assert.rejects(
    store.change((state) => void state.claims.push(...Array.from({ length: 20 }, () => claim))),
    (error: unknown) => error instanceof AdbreakError && error.code === 'input_too_large' && /at most 2000/.test(error.message),
  );
  assert.equal(await readFile(join(folder, 'hub.json'), 'utf8'), before);
  // There is room again.
  await store.change((state) => void state.claims.splice(1));
  assert.equal((await LowdbStore.open(folder, now, undefined, 2000)).state.claims.length, 1);
});
