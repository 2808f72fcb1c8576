import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { HubClock } from './hub-clock.js';
import { follow, type HubTime } from './hub-time.js';
import { openStore } from './open.js';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (ms: number) => new Date(START + ms);
/** What is known after looks at these times after the start. */
const after = (looks: readonly number[], known: HubTime | null = null) =>
  looks.reduce<HubTime | null>((now, look) => follow(now, at(look)), known);
const floorOf = (time: HubTime | null) => Date.parse(time?.floor ?? '') - START;
const hourly = (from: number, hours: number) => Array.from({ length: hours + 1 }, (_, i) => from + i * HOUR);

test('the floor goes with the clock from look to look, never back, and over a jump after a day there', () => {
  assert.equal(floorOf(after([0, HOUR, 2 * HOUR])), 2 * HOUR);
  assert.equal(floorOf(after([0, HOUR, -DAY])), HOUR, 'set back');
  assert.equal(floorOf(after([0, HOUR + 1])), 0, 'more than an hour at once');
  assert.equal(floorOf(after([0, ...hourly(400 * DAY, 23)])), 0, '23 hours there');
  assert.equal(floorOf(after([0, ...hourly(400 * DAY, 24)])), 401 * DAY, 'a day there');
  assert.equal(
    floorOf(after([0, ...hourly(400 * DAY, 20), HOUR, ...hourly(400 * DAY, 20)])),
    HOUR,
    'twice 20 h',
  );
});

test('a hub that is off for part of each day comes to believe its clock all the same', () => {
  const looks = [0, 1, 2, 3].flatMap((day) => hourly(day * DAY + 2 * HOUR, 15));
  assert.ok(floorOf(after([0, ...looks])) > 2 * DAY);
});

test('what a hub has lived through is known to the next start; its clock is told to have gone, and to be back', async (t) => {
  const folder = await temporaryFolder();
  let now = 0;
  const lines: string[] = [];
  const open = async () => {
    const store = await openStore(folder, () => at(now));
    t.after(() => store.close());
    const clock = new HubClock(
      store,
      () => at(now),
      (line) => lines.push(line),
    );
    await clock.look();
    return { store, clock };
  };
  const first = await open();
  for (now of hourly(0, 3)) await first.clock.look();
  now = 400 * DAY;
  assert.deepEqual([first.clock.judged(), first.clock.settled()], [at(400 * DAY), at(3 * HOUR)]);
  now = HOUR;
  assert.deepEqual([first.clock.judged(), first.clock.settled()], [at(3 * HOUR), at(HOUR)]);
  await first.store.close();
  const again = await open();
  assert.deepEqual([again.clock.judged(), again.clock.settled()], [at(3 * HOUR), at(HOUR)]);
  assert.deepEqual(
    lines.map((line) => /nothing is forgotten|stays ended/.exec(line)?.[0]),
    ['nothing is forgotten', 'stays ended', 'stays ended'],
  );
});
