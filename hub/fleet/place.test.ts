import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import { report } from '../rollouts/fixtures.js';
import { intakeOf, PAIR } from '../testing/intake.js';
import { MODEL, modelEntry } from '../testing/state.js';
import { storedRows } from '../testing/store.js';

test('a device that was moved before its first window of a rollout has come is still believed when it comes', async (t) => {
  let now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await intakeOf({ now: () => now });
  t.after(() => hub.store.close());
  const rollout = hub.device().desired?.rollout ?? null;
  assert.equal(rollout, hub.rollout().id);
  await hub.store.change(({ devices, models }) => {
    models['sports'] = modelEntry('1.0.0', ['1.0.0']);
    Object.assign(devices['pi-0'] ?? {}, { model: 'sports' });
  });
  for (const model of [MODEL, 'sports']) await hub.executor.assign(model);
  assert.deepEqual([hub.device().desired?.rollout, hub.device().rolloutsLeft], [null, [rollout]]);
  now = new Date('2026-01-01T02:00:00.000Z');
  await hub.send(report(1, 0, { wins: 1, agreed: 9 }, { rollout, ...PAIR }));
  assert.deepEqual([hub.device().sequence, hub.device().refusedReports], [1, 0]);
});

test('windows of a device whose channel people have said count there, and are kept as they were counted', async (t) => {
  let now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await intakeOf({ now: () => now });
  t.after(() => hub.store.close());
  now = new Date('2026-01-01T02:00:00.000Z');
  const send = (sequence: number, hour: number) =>
    hub.send(report(sequence, hour, { wins: 1, agreed: 9 }, { rollout: hub.rollout().id, ...PAIR }));
  await send(1, 0);
  assert.equal(hub.device().slice?.channel, 'one');
  await hub.store.change(({ devices }) => {
    const device = devices['pi-0'];
    if (device !== undefined) device.place = { channel: 'Two' };
  });
  await send(2, 1);
  assert.deepEqual(hub.device().slice, { channel: 'Two', site: 'home', hardware: 'pi5' });
  assert.equal(hub.evidence()?.cluster, 'channel=two');
  const rows = await storedRows(hub.folder, {
    sql: 'select body from report order by position',
    parameters: [],
  });
  const kept = rows.map((row) =>
    windowReport.parse(JSON.parse(z.object({ body: z.string() }).parse(row).body)),
  );
  assert.deepEqual(
    kept.map(({ slice }) => slice.channel),
    ['one', 'Two'],
    'sums that are computed again come to the same',
  );
});
