import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState, type HubState } from '../../store/state.js';
import { deviceEntry, MODEL, modelEntry } from '../../testing/state.js';
import { PLAN, pis, started } from '../fixtures.js';
import { start } from '../step.js';
import { memberships } from './memberships.js';

const hub = (rollouts: HubState['rollouts'], n: number, channel: (i: number) => string): HubState => ({
  ...emptyState(),
  devices: Object.fromEntries(pis(n).map((id, i) => [id, deviceEntry(id, channel(i))])),
  models: { [MODEL]: modelEntry('1.0.0', ['1.0.0', '2.0.0', '3.0.0']) },
  rollouts,
});
const candidate = (id: string) => ({ ...start(started(PLAN, { id, group: 'ab' })), seen: 0 });

test('an A/B deals the devices evenly, channel by channel, each to one candidate, and keeps what it has dealt', () => {
  for (const n of [6, 7, 40, 41]) {
    const state = hub([candidate('a'), candidate('b')], n, (i) => `c${i % 5}`);
    const dealt = memberships(state, MODEL);
    const [a, b] = [dealt.get('a')?.members ?? [], dealt.get('b')?.members ?? []];
    assert.equal(new Set([...a, ...b]).size, n);
    assert.equal(a.length + b.length, n);
    assert.ok(Math.abs(a.length - b.length) <= 1, `${a.length} and ${b.length} of ${n}`);
    const on = (members: readonly string[], channel: string) =>
      members.filter((id) => state.devices[id]?.slice?.channel === channel).length;
    for (let i = 0; i < 5; i++) assert.ok(Math.abs(on(a, `c${i}`) - on(b, `c${i}`)) <= 1, `c${i}`);
    const members = new Map([
      ['a', a],
      ['b', b],
    ]);
    const kept = state.rollouts.map((one) => ({ ...one, members: members.get(one.id) ?? [] }));
    assert.deepEqual(
      memberships(
        { ...state, rollouts: kept, devices: { ...state.devices, late: deviceEntry('late', 'c0') } },
        MODEL,
      ).get(a.length <= b.length ? 'b' : 'a')?.members,
      a.length <= b.length ? b : a,
      'the new one goes where fewer are',
    );
  }
});

test('a candidate that begins when the first one has every device already takes its share of every channel', () => {
  const devices = pis(40);
  const first = { ...candidate('a'), members: devices };
  const state = hub([first, candidate('b')], 40, (i) => `c${i % 5}`);
  const dealt = memberships(state, MODEL);
  const [a, b] = [dealt.get('a')?.members ?? [], dealt.get('b')?.members ?? []];
  assert.deepEqual([a.length, b.length], [20, 20]);
  for (let i = 0; i < 5; i++)
    assert.equal(b.filter((id) => state.devices[id]?.slice?.channel === `c${i}`).length, 4);
  // From then on a device that goes moves nobody.
  Object.assign(state.devices[a[0] ?? ''] ?? {}, { revoked: true });
  const kept = {
    ...state,
    rollouts: [
      { ...first, members: a },
      { ...candidate('b'), members: b },
    ],
  };
  assert.deepEqual(memberships(kept, MODEL).get('b')?.members, b);
});

test('three candidates, devices without a channel, and revoked ones', () => {
  const state = hub([candidate('a'), candidate('b'), candidate('c')], 9, () => 'one');
  for (const device of Object.values(state.devices)) device.slice = null;
  Object.assign(state.devices['pi-0'] ?? {}, { revoked: true });
  const sizes = [...memberships(state, MODEL).values()].map(({ members }) => members.length);
  assert.deepEqual(sizes.sort(), [2, 3, 3]);
});

test('a device is excepted from every slice that it belongs to, its own name first', () => {
  const state = hub([candidate('a')], 3, () => 'one');
  const old = { version: '0.9.0', digest: 'c'.repeat(64) };
  const older = { version: '0.8.0', digest: 'd'.repeat(64) };
  Object.assign(state.models[MODEL] ?? {}, { exceptions: { 'site=home': old, 'device=pi-2': older } });
  assert.deepEqual(memberships(state, MODEL).get('a')?.excepted, {
    'pi-0': old.digest,
    'pi-1': old.digest,
    'pi-2': older.digest,
  });
});
