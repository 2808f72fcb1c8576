import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { until } from '@adbreak/shared/testing/until.js';
import { callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { type TestHub, testHub } from '../testing.js';

/** What a stranger can hold open of a hub without saying who it is. */
function open(t: TestContext, port: number, count: number): { sockets: Socket[]; closed: () => number } {
  let gone = 0;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.once('close', () => {
      gone += 1;
    });
    // Unread, an end would never be seen.
    socket.resume();
    t.after(() => socket.destroy());
    return socket;
  });
  return { sockets, closed: () => gone };
}

test('HTTPS: one address holds 200 connections, a handshake 10 s, a head 20 s; others are answered meanwhile', {
  timeout: 120_000,
}, async (t) => {
  const hub: TestHub = await testHub(t);
  const { httpPort } = hub.running;
  const silent = tlsConnect({ port: httpPort, host: '127.0.0.1', ca: hub.authority });
  t.after(() => silent.destroy());
  let ended = false;
  silent.resume().once('close', () => {
    ended = true;
  });
  silent.on('error', () => undefined);
  await once(silent, 'secureConnect');
  const { closed } = open(t, httpPort, 220);
  await until('those above the bound are cut off', async () => closed() === 21);
  // In time, and none of them sooner or later by the bound: the handshakes never came.
  await until('no handshake in 10 s', async () => closed() === 220, 60);
  assert.deepEqual(await callHub(hub, '/healthz'), { ok: true });
  await until('no request in 20 s', async () => ended, 60);
});

test('MQTT: one address holds 500 connections', { timeout: 60_000 }, async (t) => {
  const hub = await testHub(t);
  const { closed } = open(t, hub.running.mqttPort, 510);
  await until('those above the bound are cut off', async () => closed() === 10, 30);
});

test('a WebSocket is refused at every path, whoever asks; another Upgrade is not heeded', async (t) => {
  const { hub, authority } = await testHub(t);
  const agent = new Agent({ ca: authority });
  const ask = (path: string, upgrade: string) =>
    answerOf({ hub, method: 'GET', path, headers: { connection: 'Upgrade', upgrade }, agent });
  for (const path of ['/', '/healthz', '/api/v1/overview', '/no/such/path']) {
    const { status, body } = await ask(path, 'websocket');
    assert.deepEqual([status, JSON.parse(body).code], [400, 'input_invalid'], path);
  }
  assert.equal((await ask('/healthz', 'h2c')).status, 200);
});
