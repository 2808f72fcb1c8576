import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type DeviceLine, fleet } from '@adbreak/shared/contract/http/fleet.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from './cli/client.js';
import { agentOf, publish, scenes } from './testing/chain.js';
import { runAt } from './testing/command.js';
import { MODEL } from './testing/state.js';
import { type TestHub, testHub } from './testing.js';

const SPORTS = 'sports-ad-detector';

async function lines(hub: TestHub): Promise<ReadonlyMap<string, DeviceLine>> {
  const { devices } = await callBy(hub, fleet.list, { query: {} });
  return new Map(devices.map((device) => [device.id, device]));
}
/** What each device runs, by its own word, once it is proved. */
async function running(hub: TestHub, wanted: Readonly<Record<string, string>>): Promise<boolean> {
  const found = await lines(hub);
  return Object.entries(wanted).every(([id, version]) => {
    const device = found.get(id);
    return device?.versions.serving?.version === version && device.versions.slot === 'confirmed';
  });
}

test('a fleet of three: two stay on base, one is moved to sports and back, from the command line; its windows count for what it runs', {
  timeout: 180_000,
}, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  await publish(hub, '4.0.0', -1, { name: SPORTS });
  const input = await scenes();
  const agents = await Promise.all(
    ['pi-1', 'pi-2', 'pi-3'].map((device) => agentOf(t, hub, { device, input })),
  );
  await until(
    'all serve base',
    () => running(hub, { 'pi-1': '1.0.0', 'pi-2': '1.0.0', 'pi-3': '1.0.0' }),
    60,
  );

  const away = await runAt(hub, 'devices', 'set', 'pi-3', '--model', SPORTS);
  assert.equal(away.code, 0, away.error);
  assert.match(away.out, /pi-3\n {2}model: base-ad-detector → sports-ad-detector\n/);
  await until('pi-3 serves sports', () => running(hub, { 'pi-3': '4.0.0' }), 60);
  assert.ok(await running(hub, { 'pi-1': '1.0.0', 'pi-2': '1.0.0' }), 'the others serve base');

  // A rollout of base is none of its business meanwhile.
  await publish(hub, '2.0.0');
  await until('the two run the candidate beside production', async () => {
    const found = await lines(hub);
    return ['pi-1', 'pi-2'].every((id) => found.get(id)?.versions.shadow?.version === '2.0.0');
  });
  const apart = (await lines(hub)).get('pi-3');
  assert.deepEqual([apart?.versions.candidate, apart?.versions.shadow], [null, null]);
  const summary = async () =>
    (await callHub(hub, `/api/v1/monitoring/models/${SPORTS}/performance?version=4.0.0`)) as {
      metrics: { total_inferences: number };
    };
  await until('its windows count for sports', async () => (await summary()).metrics.total_inferences > 0, 30);

  const back = await runAt(hub, 'devices', 'set', 'pi-3', '--model', MODEL);
  assert.equal(back.code, 0, back.error);
  await until('pi-3 serves base again', () => running(hub, { 'pi-3': '1.0.0' }), 60);
  await until('and runs the candidate like the others', async () => {
    const device = (await lines(hub)).get('pi-3');
    return device?.versions.shadow?.version === '2.0.0';
  });
  for (const { refusedReports, id, refusal } of (await lines(hub)).values())
    assert.equal(refusedReports, 0, `${id}: ${JSON.stringify(refusal)}`);

  const [first, second] = agents;
  first?.child.kill('SIGTERM');
  second?.child.kill('SIGKILL');
  await Promise.all([first, second].map((agent) => agent && once(agent.child, 'exit')));
  await until('who said goodbye is offline, and who was cut off is lost', async () => {
    const found = await lines(hub);
    return found.get('pi-1')?.link.state === 'offline' && found.get('pi-2')?.link.state === 'lost';
  });
});
