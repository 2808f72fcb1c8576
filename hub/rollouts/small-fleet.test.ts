import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configPath } from './fixtures.js';
import { readPlans, usualPlan } from './lifecycle/plans.js';
import { smallFleet } from './small-fleet.js';

const plans = () =>
  readPlans(
    configPath('standard').replace(/[^/]+$/, ''),
    configPath('standard'),
    configPath('rollback'),
    configPath('small'),
  );

test('a fleet of one to four devices gets the plan that asks for no fifth one, where nobody has chosen a plan', async () => {
  const all = await plans();
  assert.deepEqual(
    [0, 1, 4, 5, 50].map((devices) => usualPlan(all, devices).name),
    ['small', 'small', 'small', 'standard', 'standard'],
  );
  assert.equal(usualPlan({ ...all, small: null }, 1).name, 'standard');
  assert.ok(all.small !== null && all.small.minDevices === 1);
  assert.equal(all.named.get('small'), all.small, 'operators may name it too');
});

test('what so few devices cannot show is said, each thing in a sentence; of five and more nothing is', async () => {
  const { small, rollback } = await plans();
  assert.ok(small !== null);
  const one = smallFleet(small, 1).join('\n');
  assert.match(one, /one device can show that a candidate is no worse by 5\.0 points, and nothing finer/);
  assert.match(one, /the first stage in which the candidate acts, one, is all of the fleet/);
  assert.match(one, /limits of crashes, latency and memory need 2 devices/);
  assert.match(smallFleet(small, 4).join('\n'), /acts is 1 device, 25\.0 % of the fleet/);
  assert.deepEqual([smallFleet(small, 5), smallFleet(small, 0), smallFleet(rollback, 1)], [[], [], []]);
});
