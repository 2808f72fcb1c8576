import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pauseAfter } from '@adbreak/shared/backoff.js';
import { backoffOf, leastTime, patience, renewalTime } from './schedule.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const validity = { from: -DAY, to: 90 * DAY };
const fleet = Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000);

test('a fleet enrolled on one day renews over two weeks of the last third, and has two weeks left for a hub that is down', () => {
  const times = fleet.map((uniform) => renewalTime(validity, uniform));
  assert.ok(
    times.every((time) => time >= validity.to - 91 * (DAY / 3) && time <= validity.to - 91 * (DAY / 6)),
  );
  const hours = times.map((time) => Math.floor(time / HOUR));
  const busiestHour = Math.max(
    ...[...new Set(hours)].map((hour) => hours.filter((other) => other === hour).length),
  );
  assert.ok(busiestHour <= 4, `${busiestHour} of 1,000 devices in one hour`);
});

test('failures are retried after about a minute first, then ever later up to an hour, never two devices in step', () => {
  const pause = (failures: number, uniform: number) => pauseAfter(backoffOf(validity), failures, uniform);
  const lengths = [1, 2, 3, 10, 1000].map((failures) => pause(failures, 0.5));
  assert.deepEqual(lengths, [45_000, 90_000, 180_000, 45 * 60_000, 45 * 60_000]);
  assert.equal(new Set(fleet.map((uniform) => pause(3, uniform))).size, fleet.length);
  assert.ok(
    fleet.every((uniform) => patience(validity, uniform) < 60_000),
    'who is late comes within a minute',
  );
});

test('lives of seconds shorten the pauses with them', () => {
  const short = { from: 0, to: 24_000 };
  assert.ok(pauseAfter(backoffOf(short), 30, 0.999) <= 2000);
  assert.ok(leastTime(short) < short.to - renewalTime(short, 1));
});
