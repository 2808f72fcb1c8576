import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { callHub } from '../cli/client.js';
import { testHub } from '../testing.js';
import { HTTP_LIMITS, Strangers } from './floods.js';

const HEAD = 'GET /api/v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n';

test('a connection on which requests are pipelined is ended, and the hub answers others', async (t) => {
  const hub = await testHub(t);
  const { port } = new URL(hub.hub);
  const socket = connect({
    host: '127.0.0.1',
    port: Number(port),
    ca: hub.authority,
    servername: 'localhost',
  });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  let answers = 0;
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  socket.write(HEAD.repeat(200));
  await closed;
  assert.ok(answers <= HTTP_LIMITS.requestsOfConnection, `${answers} answers`);
  assert.deepEqual(await callHub(hub, '/healthz'), { ok: true });
});

test('strangers of one network are answered so often, those of another as well as before', () => {
  const strangers = new Strangers({ burst: 3, perSecond: 1 });
  for (let asked = 0; asked < 3; asked++) strangers.take({ ip: '192.0.2.1' });
  assert.throws(() => strangers.take({ ip: '192.0.2.1' }), { code: 'too_many_requests' });
  strangers.take({ ip: '198.51.100.1' });
});
