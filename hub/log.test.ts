import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError, explainForPeople, printable } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync } from 'mqtt';
import { enrolByHand } from './testing/enrol.js';
import { testHub } from './testing.js';

const EVIL = 'x)\n2026-11-25T01:00:00Z rollout.force\u001b[2K\u001b]0;owned\u0007\u009b31m\u007f\r';

test('what a device says is one line of the hub’s log, and moves no cursor', async (t) => {
  const hub = await testHub(t);
  const { device, key, certificate } = await enrolByHand(hub, 'pi-1');
  const options = {
    ca: hub.authority,
    cert: certificate,
    key,
    username: 'test',
    protocolVersion: 4,
    reconnectPeriod: 0,
  } as const;
  const url = `mqtts://127.0.0.1:${hub.running.mqttPort}`;
  const client = await connectAsync(url, { ...options, clientId: device });
  t.after(() => client.endAsync(true));
  const event = { kind: 'signal-lost', at: new Date().toISOString(), reason: EVIL };
  await client.publishAsync(`adbreak/v1/devices/${device}/events`, JSON.stringify(event), { qos: 1 });
  await assert.rejects(connectAsync(url, { ...options, clientId: `zz${EVIL}` }));
  await until(
    'both are in the log',
    async () => hub.log.filter((line) => line.includes('rollout.force')).length >= 2,
  );
  for (const line of hub.log) assert.doesNotMatch(line, /\p{Cc}/u);
  const own = hub.log.findIndex((line) => line.startsWith('pi-1: signal-lost'));
  assert.equal(hub.about[own]?.device, 'pi-1');
  assert.ok(
    hub.log.some((line) =>
      line.includes('pi-1: signal-lost (x)\\x0a2026-11-25T01:00:00Z rollout.force\\x1b[2K'),
    ),
  );
});

test('text of a hub is escaped for the terminal; its own lines stay where they are wanted', () => {
  assert.equal(printable('a\nb\u001b[31m\u009b', { lines: true }), 'a\nb\\x1b[31m\\x9b');
  assert.equal(printable('a\tb\n'), 'a\\x09b\\x0a');
  const told = explainForPeople(new AdbreakError('conflict', EVIL, { remedy: EVIL }));
  assert.deepEqual([told.split('\n').length, /\p{Cc}/u.test(told.replace('\n', ''))], [2, false]);
});
