import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { validityOf } from '@adbreak/shared/certificates.js';
import { devices } from '@adbreak/shared/contract/http/devices.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { smallVolume } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { callBy, callHub } from './cli/client.js';
import { publish } from './testing/chain.js';
import { enrolByHand, mqttOf, renewByHand, session } from './testing/enrol.js';
import { storedState } from './testing/store.js';
import { testHub } from './testing.js';

test('on a full disk a device is revoked all the same: its session ends, and nothing lets it in again; with room it is written down', {
  timeout: 120_000,
}, async (t) => {
  const folder = await smallVolume(t, 9000);
  const hub = await testHub(t, { folder });
  await publish(hub, '1.0.0');
  const device = await enrolByHand(hub, 'pi-1');
  const other = await enrolByHand(hub, 'pi-2');
  const mqtt = () => mqttOf(hub, device);
  const client = await mqtt();
  t.after(() => void client.end(true));
  const ballast = join(folder, 'ballast');
  for (let size = 5_000_000; size > 500; size = Math.floor(size / 2))
    await writeFile(ballast, Buffer.alloc(size), { flag: 'a' }).catch(() => undefined);
  const claim = () =>
    callHub(hub, '/api/v1/claims', { method: 'POST', json: { count: 100 } }).then(
      () => null,
      (error: unknown) => error,
    );
  // The log of writes has room of its own.
  await until('nothing can be written', async () => (await claim()) !== null, 60);
  const closed = new Promise<void>((resolve) => {
    client.once('close', () => resolve());
  });
  await assert.rejects(callBy(hub, devices.revoke, { params: { id: 'pi-1' } }), { code: 'disk_full' });
  await closed;
  await assert.rejects(mqtt());
  await assert.rejects(session(hub, device), { code: 'identity_revoked' });
  await assert.rejects(renewByHand(hub, device), { code: 'identity_revoked' });
  await session(hub, other);
  await rm(ballast);
  await callBy(hub, devices.revoke, { params: { id: 'pi-1' } });
  assert.equal((await storedState(folder)).devices['pi-1']?.revoked, true);
  // The name may have a new identity.
  await session(hub, await enrolByHand(hub, 'pi-1'));
});

test('a connection over HTTPS that was begun in time opens nothing once the certificate of its device has ended', {
  timeout: 60_000,
}, async (t) => {
  const hub = await testHub(t, { certificates: { lifetimes: { device: 4000, server: 3_600_000 } } });
  const { key, certificate } = await enrolByHand(hub, 'pi-1');
  await using client = new HubClient(hub.hub, { authority: hub.authority, certificate, key });
  const ask = () => client.ask('/agent/session?instance=test', { what: 'ask as a test does' });
  const ends = validityOf(certificate).to;
  while (Date.now() < ends - 500) {
    await ask();
    await sleep(200);
  }
  // It is not idle for long enough to be begun anew.
  while (Date.now() < ends + 100) await sleep(50);
  await assert.rejects(ask(), { code: 'identity_expired' });
});
