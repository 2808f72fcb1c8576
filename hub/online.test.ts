import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@adbreak/shared/testing/until.js';
import { callHub } from './cli/client.js';
import { overview } from './testing/chain.js';
import { enrolByHand, mqttOf } from './testing/enrol.js';
import { storedState, tamper } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

/** `online` is a session that is open now, whatever anybody says. */
const online = async (hub: TestHub) => (await overview(hub)).devices[0]?.online;
const lastSeen = async (hub: TestHub) =>
  ((await callHub(hub, '/api/v1/overview')) as { devices: { lastSeen: string | null }[] }).devices[0]
    ?.lastSeen;
const says = (value: boolean) =>
  JSON.stringify({ online: value, agent: 'test', at: new Date().toISOString() });

test('after a hub that was killed nobody is online until a session is open', async (t) => {
  const hub = await testHub(t);
  await enrolByHand(hub, 'pi-1');
  await hub.running[Symbol.asyncDispose]();
  // As the kill leaves it: nobody was there to note that the device went.
  await tamper(hub.folder, `update device set body = replace(body, '"online":false', '"online":true')`);
  assert.equal((await storedState(hub.folder)).devices['pi-1']?.online, true);
  const again = { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
  assert.equal(await online(again), false);
});

test('a last will that says online: true brings nobody back, neither one that was cut off nor one that was revoked', async (t) => {
  const hub = await testHub(t);
  const card = await enrolByHand(hub, 'pi-1');
  const topic = `adbreak/v1/devices/${card.device}/status`;
  const will = { topic, payload: Buffer.from(says(true)), qos: 1, retain: true } as const;
  for (const end of ['cut', 'revoked']) {
    const client = await mqttOf(hub, card, { will });
    client.on('error', () => undefined);
    await client.publishAsync(topic, says(true), { qos: 1 });
    assert.equal(await online(hub), true);
    const before = await lastSeen(hub);
    if (end === 'cut') client.stream.destroy();
    else await callHub(hub, `/api/v1/devices/${card.device}/revoke`, { method: 'POST', json: {} });
    await until('it left', async () => (await lastSeen(hub)) !== before);
    // The will comes right after the end of the session; what is asked now is answered after both.
    for (let look = 0; look < 10; look++) {
      await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} });
      if (look > 0) assert.equal(await online(hub), false, end);
    }
  }
});
