import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEGIN, report } from '../rollouts/fixtures.js';
import { intakeOf, PAIR } from '../testing/intake.js';
import { QUOTAS } from './quotas.js';

/** What becomes of a message that is refused. */
const NOW = new Date(BEGIN + 24 * 3_600_000);
const STREAM = '0123456789abcdef';

async function fleet() {
  const hub = await intakeOf({ now: () => NOW });
  const windowOf = (sequence: number, change: Partial<Parameters<typeof hub.send>[0]> = {}) =>
    report(
      sequence,
      sequence,
      { agreed: 8 },
      { rollout: hub.rollout().id, stream: STREAM, ...PAIR, ...change },
    );
  return { hub, windowOf };
}

test('why a report was refused is written down and told to its device, and over with the next one that is taken', async () => {
  const { hub, windowOf } = await fleet();
  await hub.send(windowOf(1, { frames: 1e9 }));
  const why = 'Cannot accept window 1 of pi-0: 1000000000 frames in 3600 s, at most 432000';
  assert.deepEqual(hub.device().refusal, { code: 'input_invalid', message: why, at: NOW.toISOString() });
  assert.deepEqual(hub.told, [why]);
  // Not at each of many: the newest reason stands in the device's entry.
  await hub.intake.take('pi-0', 'windows', Buffer.from('nonsense'));
  assert.match(hub.device().refusal?.message ?? '', /^Cannot accept pi-0\/windows: it is not JSON/);
  assert.equal(hub.told.length, 1);
  await hub.send(windowOf(2));
  assert.deepEqual([hub.device().refusal, hub.told], [undefined, [why, null]]);
  assert.equal(hub.device().refusedReports, 2);
});

test('a device that sends a bad and a good window at once hears in the end that its reports are taken', async () => {
  const { hub, windowOf } = await fleet();
  await Promise.all([hub.send(windowOf(1, { frames: 1e9 })), hub.send(windowOf(2))]);
  await hub.send(windowOf(3));
  assert.equal(hub.device().refusal, undefined);
  assert.equal(hub.told.at(-1) ?? null, null);
});

test('a hub that was started anew still tells that it is over', async () => {
  const { hub, windowOf } = await fleet();
  await hub.send(windowOf(1, { frames: 1e9 }));
  const again = await intakeOf({ now: () => NOW, folder: hub.folder });
  assert.equal(again.device().refusal?.code, 'input_invalid');
  await again.send(windowOf(2));
  assert.deepEqual([again.device().refusal, again.told], [undefined, [null]]);
});

test('a window by a wrong clock waits, and its device hears of both clocks', async () => {
  const { hub, windowOf } = await fleet();
  const [start, end] = ['2027-01-01T00:00:00.000Z', '2027-01-01T01:00:00.000Z'];
  await assert.rejects(hub.send(windowOf(1, { start, end })), { code: 'conflict' });
  assert.equal(hub.device().refusal?.code, 'conflict');
  assert.match(
    hub.told[0] ?? '',
    /by its clock it ends at 2027-01-01T01:00:00.000Z, and the hub's says 2026/,
  );
  assert.equal(hub.device().refusedReports, 0);
});

test('a flood of events is refused beyond its quota, with a code, and acknowledged; nobody else pays for it', async () => {
  const { hub } = await fleet();
  const message = Buffer.from(JSON.stringify({ kind: 'signal-lost', at: NOW.toISOString(), reason: 'r' }));
  for (let n = 0; n < QUOTAS.events.burst + 10; n += 1) await hub.intake.take('pi-0', 'events', message);
  await hub.intake.take('pi-1', 'events', message);
  const refused = hub.lines.filter((line) =>
    line.includes('too_many_requests: Cannot take an event of pi-0'),
  );
  assert.ok(refused.length >= 9, `${refused.length} were refused`);
  assert.equal(hub.device().refusal?.code, 'too_many_requests');
  assert.equal(hub.store.state.devices['pi-1']?.refusedReports, 0);
});
