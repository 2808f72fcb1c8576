import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { devices } from '@adbreak/shared/contract/http/devices.js';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { callBy, callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { card } from '../testing/cards.js';
import { enrolByHand } from '../testing/enrol.js';
import { type TestHub, testHub } from '../testing.js';

const LOCAL = { port: 0, asked: true };

async function get(hub: TestHub, path: string, headers: Record<string, string> = {}) {
  const port = hub.running.localPort ?? assert.fail('there is no plain port');
  const asked = { hub: `http://127.0.0.1:${port}`, method: 'GET', path };
  const { status, body } = await answerOf({ ...asked, headers: { host: `localhost:${port}`, ...headers } });
  return { status, code: status < 400 ? null : problem.parse(JSON.parse(body)).code };
}

test('the plain port answers this machine by its own names, under the same tokens', async (t) => {
  const hub = await testHub(t, { local: LOCAL });
  const { localPort } = hub.running;
  const authorization = `Bearer ${hub.token}`;
  for (const host of [
    `localhost:${localPort}`,
    `127.0.0.1:${localPort}`,
    `[::1]:${localPort}`,
    'LocalHost',
    'localhost:9000',
  ])
    assert.equal((await get(hub, '/api/v1/overview', { host, authorization })).status, 200, host);
  assert.equal((await get(hub, '/api/v1/overview')).code, 'unauthorized');
  assert.equal((await get(hub, '/api/v1/overview', { authorization: 'Bearer x' })).code, 'unauthorized');
  assert.equal((await get(hub, '/')).status, 200);
});

test('a page of elsewhere reaches nothing on the plain port: not by a name that leads here, not from its own origin', async (t) => {
  const hub = await testHub(t, { local: LOCAL });
  const { localPort } = hub.running;
  const authorization = `Bearer ${hub.token}`;
  for (const headers of [
    { host: `evil.example:${localPort}` },
    { host: 'evil.example' },
    { host: `localhost.evil.example:${localPort}` },
    { host: `127.0.0.1.nip.io:${localPort}` },
    { host: `192.0.2.1:${localPort}` },
    { host: `localhost@evil.example` },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `https://localhost:${localPort}` },
    { origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])
    for (const path of ['/api/v1/overview', '/', '/healthz', '/nothing'])
      assert.equal(
        (await get(hub, path, { authorization, ...headers })).code,
        'forbidden',
        `${path} ${JSON.stringify(headers)}`,
      );
  const own = { origin: `http://localhost:${localPort}`, 'sec-fetch-site': 'same-origin' };
  assert.equal((await get(hub, '/api/v1/overview', { authorization, ...own })).status, 200);
  assert.equal((await get(hub, '/', { 'sec-fetch-site': 'none' })).status, 200);
});

test('one claim enrols one device, also where cards ask at both ports at once', async (t) => {
  const hub = await testHub(t, { local: LOCAL });
  const { tokens } = await callBy(hub, devices.claim, { body: {} });
  const cards = await Promise.all(['pi-1', 'pi-2', 'pi-3', 'pi-4'].map((device) => card(device)));
  const statuses = await Promise.all(
    cards.map(async ({ csr }, i) => {
      const body = JSON.stringify({ token: tokens[0], device: `pi-${i + 1}`, csr, instance: 'i' });
      const secure = { hub: hub.hub, agent: new Agent({ ca: hub.authority }) };
      const plain = { hub: `http://localhost:${hub.running.localPort}` };
      const headers = { 'content-type': 'application/json' };
      const asked = { method: 'POST', path: '/api/v1/enrol', headers, send: body };
      return (await answerOf({ ...asked, ...(i % 2 === 0 ? secure : plain) })).status;
    }),
  );
  assert.deepEqual(statuses.sort(), [200, 409, 409, 409]);
});

test('wrong tokens count at both ports together', async (t) => {
  const now = new Date('2026-01-01T00:00:00.000Z');
  const hub = await testHub(t, { local: LOCAL, now: () => now });
  const authorization = 'Bearer adbreak_token_0';
  for (let i = 0; i < 20; i++)
    assert.equal((await get(hub, '/api/v1/overview', { authorization })).code, 'unauthorized');
  await assert.rejects(callHub({ ...hub, token: 'adbreak_token_0' }, '/api/v1/overview'), {
    code: 'too_many_requests',
  });
});

test('no device gets in without TLS, whatever it says of itself', async (t) => {
  const hub = await testHub(t, { local: LOCAL });
  await enrolByHand(hub, 'pi-1');
  for (const path of ['/tuf/metadata/timestamp.json', '/agent/session?instance=i'])
    assert.equal((await get(hub, path)).code, 'unauthorized', path);
});

test('a port that nobody asked for is left where it is taken; one that somebody asked for ends the start', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { port } = address;
  const hub = await testHub(t, { local: { port, asked: false } });
  assert.equal(hub.running.localPort, null);
  assert.match(
    hub.log.join('\n'),
    new RegExp(`there is no plain HTTP on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  );
  await assert.rejects(
    testHub(t, { local: { port, asked: true } }),
    (error) =>
      error instanceof AdbreakError &&
      error.code === 'conflict' &&
      error.message === `Cannot listen for plain HTTP on 127.0.0.1:${port}`,
  );
});
