import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ownValue } from '@adbreak/shared/own-value.js';
import { seeded } from '@adbreak/shared/random.js';
import { feed } from '../simulate/feed.js';
import { type LivingRooms, RoomStream } from '../simulate/living-rooms.js';
import { apartBy, findApart, tooManyApart } from './apart.js';
import { driftOf } from './drift.js';
import { after, BEGIN, configPath, started } from './fixtures.js';
import { weigh } from './gate.js';
import { readPlan } from './plan.js';
import type { Rollout } from './rollout.js';
import { standingOf } from './standing.js';
import { start } from './step.js';
import { closeWindows, windowOf } from './windows.js';

const plan = { ...(await readPlan(configPath('standard'))), lagHours: 0 };

/** A fleet after so many hours of an everything-answered shadow; who is found is judged apart at every look. */
function watched(
  rooms: Omit<LivingRooms, 'episodes' | 'disagreement' | 'difference'>,
  hours: number,
  seed: string,
): Rollout {
  const stream = new RoomStream({ episodes: 4, disagreement: 0.1, difference: 0, ...rooms }, seeded(seed));
  let state = start(started(plan));
  for (let hour = 0; hour < hours; hour++) {
    feed(state, windowOf(BEGIN + hour * 3_600_000, plan), stream.next(hour));
    if ((hour + 1) % 4 !== 0) continue;
    const apart = (id: string) =>
      apartBy(id, ownValue(state.evidence.devices, id)?.slice ?? null, state) !== null;
    closeWindows(state.evidence, plan, apart, after(hour + 1));
    state = { ...state, members: Object.keys(state.evidence.devices) };
    for (const { kind, name, reason } of findApart(state, plan.wrong)) {
      const entry = { [name]: { at: after(hour + 1).toISOString(), reason } };
      state =
        kind === 'device'
          ? { ...state, setAside: { ...state.setAside, ...entry } }
          : { ...state, excluded: { ...state.excluded, ...entry } };
    }
  }
  return state;
}

describe('who is judged apart', () => {
  test('a broken device takes neither its channel nor its site with it', () => {
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const state = watched({ devices: 12, channels: 4, broken: -0.4 }, 120, seed);
      assert.deepEqual([Object.keys(state.setAside), Object.keys(state.excluded)], [['pi-0'], []], seed);
      assert.equal(tooManyApart(state), null, seed);
    }
  });
  test('a channel whose devices all lose stays on production, whoever loses most', () => {
    const state = watched({ devices: 20, channels: 10, own: [-0.09] }, 240, 'a');
    assert.deepEqual([Object.keys(state.setAside), Object.keys(state.excluded)], [[], ['channel=c0']]);
  });
  test('a fleet of five channels that leaves one behind is still asked about the fleet', () => {
    const state = watched({ devices: 5 }, 48, 'a');
    const behind = {
      ...state,
      excluded: { 'channel=c1': { at: after(48).toISOString(), reason: 'for a test' } },
    };
    const [all, rest] = [weigh(standingOf(state), plan), weigh(standingOf(behind), plan)];
    assert.deepEqual([all.channels, rest.channels], [5, 4]);
    assert.ok(all.promotion.channels !== null && rest.promotion.channels !== null);
    assert.equal(weigh(standingOf(watched({ devices: 4 }, 48, 'a')), plan).promotion.channels, null);
  });
});

test('evidence of many calm hours is no doubt about the world', () => {
  const world = (strange: number) => ({
    lanes: [[[200]]],
    windows: 200,
    last: [],
    strange: Array.from({ length: 48 }, (_, i) => Number(i < strange)),
    alarmAt: null,
  });
  const doubt = (strange: number) =>
    driftOf(
      { world: world(strange), disagreement: null, disagreementAlarm: false, hours: 200, episodes: 1e4 },
      plan,
    ).worldDoubt;
  assert.deepEqual([doubt(7), doubt(17)], [false, true]);
});
