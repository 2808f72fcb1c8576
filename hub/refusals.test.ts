import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { MqttClient } from 'mqtt';
import { fetch } from 'undici';
import { z } from 'zod';
import { QUOTAS } from './fleet/quotas.js';
import { report } from './rollouts/fixtures.js';
import { agentOf, overview, publish } from './testing/chain.js';
import { enrolByHand, type HandMade, mqttOf, session } from './testing/enrol.js';
import { tamper } from './testing/store.js';
import { type TestHub, testHub } from './testing.js';

/** How a device hears that it was refused, through a whole hub. */
async function deviceOf(hub: TestHub, card: HandMade) {
  const client = await mqttOf(hub, card);
  client.on('error', () => undefined);
  return client;
}
/**
 * What the newest desired state says of refused reports: undefined before one came, null where none is
 * refused.
 */
function refusalHeard(client: MqttClient) {
  let heard: { revision: number; refusal: { code: string; message: string } | null } | undefined;
  client.on('message', (_, payload) => {
    heard = { refusal: null, ...JSON.parse(payload.toString()) };
  });
  return () => heard;
}
const windowOf = (sequence: number, change: Partial<WindowReport> = {}): WindowReport => {
  const end = Math.floor(Date.now() / 1000) * 1000 - 60_000;
  const { histograms, latency, ...made } = report(sequence, 0, { agreed: 8 });
  return {
    ...made,
    stream: '0123456789abcdef',
    rollout: null,
    production: tinyRelease('1.0.0').manifest.digest,
    candidate: null,
    draws: null,
    joint: null,
    histograms: { ...histograms, candidate: null },
    latency: { ...latency, candidate: null },
    start: new Date(end + (sequence - 10) * 1000).toISOString(),
    end: new Date(end + (sequence - 9) * 1000).toISOString(),
    ...change,
  };
};

test('a refused report is acknowledged, and its device hears why under the same revision until one is taken again', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const client = await deviceOf(hub, await enrolByHand(hub, 'pi-1'));
  t.after(() => client.endAsync(true));
  const heard = refusalHeard(client);
  await client.subscribeAsync('adbreak/v1/devices/pi-1/desired', { qos: 1 });
  await until('its desired state', () => heard()?.refusal === null);
  const revision = heard()?.revision;
  const send = (window: WindowReport) =>
    client.publishAsync('adbreak/v1/devices/pi-1/windows', JSON.stringify(window), { qos: 1 });
  // An agent that names no stream would not understand.
  await send(windowOf(1));
  await send(windowOf(2, { production: '9'.repeat(64) }));
  const refusal = await until('the reason', () => heard()?.refusal);
  assert.equal(refusal.code, 'input_invalid');
  assert.match(refusal.message, /^Cannot accept window 2 of pi-1: its production is 9{12}/);
  assert.equal(heard()?.revision, revision);
  await send(windowOf(3));
  await until('it is over', () => heard()?.refusal === null);
  assert.equal((await overview(hub)).devices[0]?.sequence, 3);
});

test('a device that floods is cut off, and asked over HTTPS the hub says for how long', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t);
  const identity = await enrolByHand(hub, 'pi-1');
  await session(hub, identity);
  const client = await deviceOf(hub, identity);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const ping = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.of(0xc0, 0)));
  for (let sent = 0; sent <= QUOTAS.messages.burst; sent += 1000) client.stream.write(ping);
  await closed;
  await assert.rejects(session(hub, identity), (error) => {
    assert.ok(error instanceof AdbreakError && 'retryAfterMs' in error);
    assert.equal(error.code, 'too_many_requests');
    assert.match(error.message, /Cannot take more of pi-1: it has sent more than 5000 messages at once/);
    assert.ok(Number(error.retryAfterMs) > 1000);
    return true;
  });
  await assert.rejects(deviceOf(hub, identity), { code: 5 });
  // Nobody else pays for it.
  const other = await deviceOf(hub, await enrolByHand(hub, 'pi-2'));
  await other.endAsync(true);
});

test('the real agent’s page says why the hub took no report of it', { timeout: 120_000 }, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const agent = await agentOf(t, hub, { device: 'pi-1' });
  await until('a report is taken', async () => ((await overview(hub)).devices[0]?.sequence ?? 0) > 0, 60);
  const { httpPort, mqttPort } = hub.running;
  await hub.running[Symbol.asyncDispose]();
  await tamper(
    hub.folder,
    `update device set body = json_set(body, '$.enrolled', '2099-01-01T00:00:00.000Z')`,
  );
  await testHub(t, { folder: hub.folder, httpPort, mqttPort });
  const problem = async () => {
    const answer = await fetch(new URL('/api/state', agent.status()));
    return z
      .object({ problem: z.object({ code: z.string(), message: z.string() }).nullable() })
      .parse(await answer.json()).problem;
  };
  const shown = await until('the page says so', problem, 60);
  assert.equal(shown.code, 'input_invalid');
  assert.match(shown.message, /^Cannot accept window \d+ of pi-1: it begins at .* enrolled at 2099/);
});
