import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { Agent } from 'node:https';
import { type Socket, connect as tcpConnect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import Fastify from 'fastify';
import { Places } from '../broker/places.js';
import { callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { publish } from '../testing/chain.js';
import { enrolByHand, type HandMade } from '../testing/enrol.js';
import { type TestHub, testHub } from '../testing.js';
import { endIdle, HTTP_LIMITS, limitPipelining, Strangers, Unread } from './floods.js';

const HEAD = 'GET /api/v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n';
const MODEL = '/api/v1/models/base-ad-detector/versions';

async function open(t: TestContext, hub: TestHub, device?: HandMade, from?: string): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: hub.running.httpPort,
    ca: hub.authority,
    servername: 'localhost',
    ...(from !== undefined && { localAddress: from }),
    ...(device && { key: device.key, cert: device.certificate }),
  });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

test('a connection on which requests are pipelined is ended, and the hub answers others', async (t) => {
  const hub = await testHub(t);
  const socket = await open(t, hub);
  let answers = 0;
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  const closed = once(socket, 'close');
  socket.write(HEAD.repeat(200));
  await closed;
  assert.ok(answers <= HTTP_LIMITS.requestsOfConnection, `${answers} answers`);
  assert.deepEqual(await callHub(hub, '/healthz'), { ok: true });
  const lines = hub.log.filter((line) => /^http: 127\.0\.0\.1: too_many_requests: .*under way/.test(line));
  assert.equal(lines.length, 1, 'the log says it once');
});

test('strangers of one network are answered so often, those of another as well as before', () => {
  const strangers = new Strangers({ burst: 3, perSecond: 1 });
  for (let asked = 0; asked < 3; asked++) strangers.take({ ip: '192.0.2.1' });
  assert.throws(() => strangers.take({ ip: '192.0.2.1' }), { code: 'too_many_requests' });
  strangers.take({ ip: '198.51.100.1' });
});

test('who says nothing of who it is hears 429 after a while, at pages, at what is not there and with no token; a token is heard', async (t) => {
  const hub = await testHub(t);
  const agent = new Agent({ ca: hub.authority, keepAlive: true, localAddress: '127.3.1.1', maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = (path: string, headers: Record<string, string> = {}) =>
    answerOf({ hub: hub.hub, method: 'GET', path, agent, headers });
  let refused = null;
  for (let asked = 0; refused === null && asked < 1000; asked++) {
    const answer = await ask('/healthz');
    if (answer.status !== 200) refused = answer;
  }
  assert.equal(refused?.status, 429);
  assert.ok(Number(refused?.headers['retry-after']) >= 1);
  for (const path of ['/healthz', '/no/such/path', '/sign-in', '/api/v1/session', '/api/v1/overview'])
    for (let asked = 0, status = 0; status !== 429; asked++) {
      assert.ok(asked < 30, path);
      status = (await ask(path)).status;
    }
  assert.equal((await ask('/api/v1/overview', { authorization: `Bearer ${hub.token}` })).status, 200);
  assert.deepEqual(await callHub(hub, '/healthz'), { ok: true }, 'from another address');
});

test('silent connections of five addresses take HTTPS from nobody, and from no device', {
  timeout: 60_000,
}, async (t) => {
  const hub = await testHub(t);
  const device = await enrolByHand(hub, 'pi-1');
  const held = await open(t, hub, device);
  const silent: Socket[] = [];
  for (let from = 1; from <= 5; from++)
    for (let n = 0; n < HTTP_LIMITS.connections.each; n++) {
      const localAddress = `127.3.2.${from}`;
      const socket = tcpConnect({ host: '127.0.0.1', port: hub.running.httpPort, localAddress });
      socket.on('error', () => undefined).resume();
      t.after(() => socket.destroy());
      silent.push(socket);
    }
  await Promise.all(silent.map((socket) => socket.pending && once(socket, 'connect').catch(() => undefined)));
  const others = await Promise.all(Array.from({ length: 5 }, () => callHub(hub, '/api/v1/overview')));
  assert.equal(others.length, 5);
  held.write('GET /agent/session?instance=i HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [answer]: Buffer[] = await once(held, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200/);
  assert.ok(
    hub.log.some((line) => /^http: 127\.3\.2\.\d: too_many_requests: .*silent longest/.test(line)),
    hub.log.join('\n'),
  );
});

test('one device holds so many connections, and another its own', async (t) => {
  const hub = await testHub(t);
  const [one, two] = [await enrolByHand(hub, 'pi-1'), await enrolByHand(hub, 'pi-2')];
  const own: TLSSocket[] = [];
  for (let n = 0; n < HTTP_LIMITS.connectionsOfDevice; n++) own.push(await open(t, hub, one));
  const more = await open(t, hub, one);
  more.resume();
  await until('it is closed', () => more.destroyed);
  assert.ok(own.every(({ destroyed }) => !destroyed));
  assert.ok(hub.log.some((line) => /too_many_requests: Cannot accept a connection of pi-1/.test(line)));
  const other = await open(t, hub, two);
  other.write('GET /agent/session?instance=i HTTP/1.1\r\nhost: localhost\r\n\r\n');
  assert.match(String((await once(other, 'data'))[0]), /^HTTP\/1\.1 200/);
});

/** A server of one route, whose answer is as long as is asked for. */
async function server(t: TestContext, idleMs: number) {
  const app = Fastify();
  const ended: string[] = [];
  const places = new Places(app.server, HTTP_LIMITS.connections, () => undefined);
  const tell = (_: Socket, error: AdbreakError) => ended.push(`${error.code}: ${error.message}`);
  endIdle(app.server, limitPipelining(app, places, tell), tell, idleMs);
  const unread = new Unread(1_000_000);
  app.decorateRequest('who', null);
  app.addHook('onRequest', async (request) => unread.look(request));
  app.setErrorHandler((error, _, reply) =>
    reply.code(error instanceof AdbreakError ? 429 : 500).send({ message: String(error) }),
  );
  app.get('/:bytes', async ({ params }) => 'x'.repeat(Number((params as { bytes: string }).bytes)));
  app.get('/late', async () => {
    await new Promise((resolve) => setTimeout(resolve, 3 * idleMs));
    return 'late';
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => app.close());
  const { port } = app.server.address() as { port: number };
  const reach = () => {
    const socket = tcpConnect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  const ask = (path: string) => {
    const socket = reach();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    return socket;
  };
  return { reach, ask, ended, heard: async (path: string) => String((await once(ask(path), 'data'))[0]) };
}
/** More than the kernels of both sides hold. */
const LONG = '/60000000';

test('who reads no answers is made no more of them; the connection is ended after a while', async (t) => {
  const { ask, ended, heard } = await server(t, 1000);
  const deaf = ask(LONG).pause();
  await until('too much waits', async () => /^HTTP\/1\.1 429/.test(await heard('/10')));
  await until('it is ended', () => ended.some((line) => /^timed_out: .*does not read its answer/.test(line)));
  assert.match(await heard('/10'), /^HTTP\/1\.1 200/);
  deaf.destroy();
});

test('who asks nothing is ended after a while; who waits for an answer that takes longer is not', async (t) => {
  const { reach, ask } = await server(t, 300);
  const late = ask('/late');
  const silent = reach().resume();
  await until('it is ended', () => silent.destroyed);
  assert.match(String((await once(late, 'data'))[0]), /^HTTP\/1\.1 200/);
});

test('four files that a device asks for at once come whole, one after the other', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const device = await enrolByHand(hub, 'pi-1');
  const { digest, bytes } = tinyRelease('1.0.0').manifest;
  const path = `/tuf/targets/base-ad-detector/1.0.0/${digest}.model.tflite`;
  const agent = new Agent({ ca: hub.authority, key: device.key, cert: device.certificate });
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => answerOf({ hub: hub.hub, method: 'GET', path, agent })),
  );
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.length]),
    Array.from({ length: 4 }, () => [200, bytes]),
  );
});

/** The head of an upload, and the first bytes of its model. */
function uploading(socket: TLSSocket, token: string, version: string): void {
  const part = '--x\r\ncontent-disposition: form-data; name="model"; filename="m"\r\n\r\nTFL3';
  socket.write(
    [
      `PUT ${MODEL}/${version} HTTP/1.1`,
      'host: localhost',
      `authorization: Bearer ${token}`,
      'content-type: multipart/form-data; boundary=x',
      'content-length: 100000',
      '',
      part,
    ].join('\r\n'),
  );
}

test('one model comes at a time: four wait, one more hears 429; a model that breaks off leaves nothing, and the next one comes', {
  timeout: 60_000,
}, async (t) => {
  const hub = await testHub(t);
  const folder = join(hub.folder, 'registry/uploads');
  const slow = await open(t, hub);
  uploading(slow, hub.token, '1.0.0');
  const files = () => readdir(folder).catch(() => []);
  await until('it comes', async () => (await files()).length === 1);
  const waiting = await Promise.all(Array.from({ length: 4 }, () => open(t, hub)));
  for (const socket of waiting) uploading(socket, hub.token, '1.1.0');
  const more = async () => {
    const one = await open(t, hub);
    uploading(one, hub.token, '1.2.0');
    return String((await once(one, 'data'))[0]);
  };
  // Once all four have come to their turns.
  await until('one more is refused', async () => /^HTTP\/1\.1 429/.test(await more()));
  assert.match(await more(), /retry-after: 30/i);
  assert.equal((await files()).length, 1, 'what waits is not read');
  for (const socket of [slow, ...waiting]) socket.destroy();
  await publish(hub, '1.0.0');
  await until('nothing is left', async () => (await files()).length === 0);
});
