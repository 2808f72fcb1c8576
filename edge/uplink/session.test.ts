import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Session } from './session.js';
import { Spool } from './spool.js';

/** When a device with this luck connects to a hub that hangs up at once, milliseconds between the first so many. */
async function pausesOf(
  t: TestContext,
  uniform: number,
  count: number,
  hub = 'https://127.0.0.1:1',
): Promise<number[]> {
  const times: number[] = [];
  const server = createServer((socket) => {
    times.push(performance.now());
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await using _session = new Session({
    // Without a key mqtt speaks in the clear.
    identity: {
      device: 'pi-1',
      key: '',
      certificate: '',
      authority: '',
      mqtt: `mqtt://127.0.0.1:${port}`,
      root: '',
    },
    hub,
    instance: 'test',
    agentVersion: 'test',
    spool: await Spool.open(join(await temporaryFolder(), 'spool'), (line) => assert.fail(line)),
    onDesired: () => undefined,
    onCommand: () => undefined,
    onRefused: () => undefined,
    log: () => undefined,
    uniform: () => uniform,
  });
  await until(`${count} connections`, () => times.length > count, 30);
  return times.slice(1, count + 1).map((time, i) => time - (times[i] ?? 0));
}

test('devices that lost their hub come back at different times, and with pauses that grow', async (t) => {
  const [early, late] = await Promise.all([pausesOf(t, 0.05, 4), pausesOf(t, 0.7, 1)]);
  for (const [i, least] of [95, 95, 195, 395].entries())
    assert.ok((early[i] ?? 0) >= least, `pause ${i} of ${early}`);
  assert.ok((early[0] ?? 0) < 1200 && (late[0] ?? 0) >= 1395, `${early[0]} and ${late[0]}`);
});

test('a hub that says how long it wants to be left alone is left alone, and then asked after a pause of one’s own', async (t) => {
  const body = JSON.stringify({
    error: 'too_many_requests',
    message: 'Cannot take more of pi-1',
    remedy: '',
  });
  const hub = createHttpServer((_, response) => {
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '3' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(hub, 'listening');
  t.after(() => hub.close());
  const pauses = await pausesOf(t, 0.05, 4, `http://127.0.0.1:${(hub.address() as AddressInfo).port}`);
  // The answer comes after the pause behind the failure has begun.
  assert.ok(Math.max(...pauses.slice(1, 3)) >= 3095, `pauses ${pauses}`);
});
