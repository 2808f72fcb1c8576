import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import { report } from '../rollouts/fixtures.js';
import { intakeOf, PAIR } from '../testing/intake.js';
import { storedRows } from '../testing/store.js';

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
