import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { after, report } from '../rollouts/fixtures.js';
import { emptyState, type HubState } from '../store/state.js';
import { PAIR } from '../testing/intake.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { foreign, sharedTime, unknownArms } from './bounds.js';

const OTHER = 'sports-ad-detector';
function state(change: Partial<HubState> = {}): HubState {
  const models = {
    [MODEL]: modelEntry('1.0.0', ['1.0.0', '2.0.0']),
    [OTHER]: modelEntry('3.0.0', ['3.0.0']),
  };
  return { ...emptyState(), models, ...change };
}
const hourOf = (hour: number, change: Partial<WindowReport> = {}) =>
  report(hour + 1, hour, { agreed: 8 }, { rollout: null, ...PAIR, ...change });

test('a window of registered models is the device’s, also of a model that it ran before', () => {
  const device = deviceEntry('pi-1', 'one');
  assert.equal(foreign(hourOf(1), device, state()), null);
  assert.equal(foreign(hourOf(1, { production: '3'.repeat(64) }), device, state()), null);
  for (const arm of ['production', 'candidate'])
    assert.match(
      foreign(hourOf(1, { [arm]: '9'.repeat(64) }), device, state()) ?? '',
      new RegExp(`its ${arm} is 999999999999, which this hub has not registered`),
    );
  assert.match(
    foreign(hourOf(1, { production: 'f'.repeat(64) }), device, { ...state(), models: {} }) ?? '',
    /its production/,
  );
});

test('a hub that was restored takes windows of what it has forgotten, as long as a device may keep one', () => {
  const device = deviceEntry('pi-1', 'one');
  const lost = hourOf(1, { candidate: '9'.repeat(64), rollout: 'r' });
  const restored = (hour: number) => state({ revisionFloor: after(hour).getTime() * 1000 });
  assert.equal(foreign(lost, device, restored(2)), null);
  assert.deepEqual(unknownArms(lost, device, restored(2)), ['candidate']);
  assert.equal(foreign(lost, device, restored(-44 * 24)), null, 'offline since before the restore');
  assert.match(foreign(lost, device, restored(-46 * 24)) ?? '', /which this hub has not registered/);
});

test('a window begins a day before its device was first enrolled at most', () => {
  const device = deviceEntry('pi-1', 'one', { enrolled: after(48).toISOString() });
  assert.equal(foreign(hourOf(24), device, state()), null, 'the window that is open at an enrolment');
  assert.match(foreign(hourOf(23), device, state()) ?? '', /this device was enrolled at 2026-01-03/);
  const again = { ...device, firstEnrolled: after(0).toISOString() };
  assert.equal(foreign(hourOf(2), again, state()), null, 'an agent that enrols anew keeps its spool');
});

test('a window names a rollout that its device is in, or was in, and no other', () => {
  const device = deviceEntry('pi-1', 'one');
  const rollouts = (members: string[], counted: string[] = []) =>
    state({
      rollouts: JSON.parse(
        JSON.stringify([
          { id: 'r', members, evidence: { devices: Object.fromEntries(counted.map((id) => [id, {}])) } },
        ]),
      ),
    });
  const named = hourOf(1, { rollout: 'r' });
  assert.equal(foreign(named, device, rollouts(['pi-1'])), null);
  assert.equal(foreign(named, device, rollouts([], ['pi-1'])), null, 'it was left out since');
  assert.match(
    foreign(named, device, rollouts(['pi-2'])) ?? '',
    /rollout r, which this device is not part of/,
  );
  const moved = { ...device, rolloutsLeft: ['r'] };
  assert.equal(foreign(named, moved, rollouts(['pi-2'])), null, 'it was given another one before it told');
  assert.match(foreign(named, device, state()) ?? '', /there is no rollout r/);
});

/** Takes windows one after the other, as the intake does; where one is refused, why. */
function taken(windows: readonly WindowReport[], now = after(1000).getTime()): string[] {
  const device = deviceEntry('pi-1', 'one');
  return windows.map((window) => {
    const time = sharedTime(device, window, now);
    if (typeof time === 'string') return time;
    device.window = time;
    const ends = [window.end, device.watchedUntil ?? window.end].map((instant) => Date.parse(instant));
    device.watchedUntil = new Date(Math.max(...ends)).toISOString();
    return 'taken';
  });
}
const part = (from: number, to: number, episodes = 8) => ({
  ...hourOf(0),
  start: after(from).toISOString(),
  end: after(to).toISOString(),
  episodes,
});

test('windows that follow each other are taken, with gaps, and several pairings of one window', () => {
  const windows = [part(0, 1), part(1, 2), part(1, 2), part(1, 2), part(5, 9), part(5, 9), part(9, 10)];
  assert.deepEqual(new Set(taken(windows)), new Set(['taken']));
});

test('a full spool adds up the windows before and after a change of pairing: both sums reach over its window', () => {
  assert.deepEqual(taken([part(0, 4), part(3, 8)]), ['taken', 'taken']);
});

test('time that was told is not told again', () => {
  const [first, , third] = taken([part(0, 1), part(5, 6), part(1, 2)]);
  assert.equal(first, 'taken');
  assert.match(
    third ?? '',
    /it begins at 2026-01-01T01:00:00.000Z, and what came before it reaches until .*T06:00/,
  );
  assert.match(taken([part(5, 6), part(0, 20)])[1] ?? '', /it begins at/, 'nor as part of a longer one');
});

test('windows that share their time have together no more episodes than it has seconds', () => {
  const copies = Array.from({ length: 5 }, () => part(0, 1, 1000));
  assert.deepEqual(
    taken(copies).map((what) => what.replace(/^with .* has /, '')),
    ['taken', 'taken', 'taken', '4000 episodes in 3600 s', '4000 episodes in 3600 s'],
  );
  // A clock that is put back by minutes again and again.
  const minutes = Array.from({ length: 60 }, (_, i) => part(1 - (i % 9) / 60, 1 + 1 / 60, 60));
  assert.equal(taken([part(0, 1, 0), ...minutes]).filter((what) => what === 'taken').length, 2);
});

test('an end that a wrong clock wrote into the future holds nothing back', () => {
  assert.deepEqual(taken([part(500, 501), part(2, 3)], after(10).getTime()), ['taken', 'taken']);
});
