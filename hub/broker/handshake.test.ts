import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, Socket, connect as tcpConnect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync } from 'mqtt';
import { connectPacket, header, publishPacket, RawClient, subscribePacket, testBroker } from './testing.js';

/** What reaches Aedes at all: handshakes, the first bytes, lengths, time, and noise. */

/** The server's side of every socket that arrives while the test runs. */
function arrivals(t: TestContext): Socket[] {
  const sockets: Socket[] = [];
  const keep = (message: unknown) => {
    if (
      typeof message === 'object' &&
      message !== null &&
      'socket' in message &&
      message.socket instanceof Socket
    )
      sockets.push(message.socket);
  };
  subscribe('net.server.socket', keep);
  t.after(() => unsubscribe('net.server.socket', keep));
  return sockets;
}
const bytesRead = (sockets: readonly Socket[]) => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);

/** Writes for as long as it is let, at most `total` bytes. */
async function flood(client: RawClient, first: Buffer, total: number): Promise<void> {
  client.socket.write(first);
  const piece = Buffer.alloc(16 * 1024, 0x20);
  for (let sent = 0; sent < total && !client.closed; sent += piece.length) {
    client.socket.write(piece);
    await until('room', () => client.closed || !client.socket.writableNeedDrain);
  }
}

/** What the kernel and one record of TLS may bring along before anybody looks: far less than a flood. */
const A_FEW_READS = 200 * 1024;

test('ten revoked devices with 5 MB each: refused at the handshake, hardly a byte is read', async (t) => {
  const { credentials, refused, log } = await testBroker(t);
  const sockets = arrivals(t);
  const names = Array.from({ length: 10 }, (_, index) => `pi-${index}`);
  for (const name of names)
    refused.set(
      name,
      new AdbreakError('identity_revoked', `Cannot connect ${name}: its identity was revoked`),
    );
  await Promise.all(
    names.map(async (name) => {
      const client = await RawClient.open(t, await credentials(name));
      await flood(client, header(0x10, 5_000_000), 5_000_000);
      await until('the end', () => client.closed);
    }),
  );
  assert.equal(sockets.length, 10);
  assert.ok(bytesRead(sockets) < 10 * A_FEW_READS, `${bytesRead(sockets)} bytes were read`);
  for (const name of names)
    assert.ok(log.includes(`mqtt: identity_revoked: Cannot connect ${name}: its identity was revoked`));
});

test('a revoked device hears CONNACK 5, as its agent needs it to ask why', async (t) => {
  const { credentials, refused } = await testBroker(t);
  refused.set('pi-1', new AdbreakError('identity_revoked', 'Cannot connect pi-1: its identity was revoked'));
  const options = {
    ...(await credentials('pi-1')),
    clientId: 'pi-1',
    username: 'i',
    protocolVersion: 4,
    reconnectPeriod: 0,
  } as const;
  await assert.rejects(connectAsync('mqtts://127.0.0.1', options), { code: 5 });
});

test('a packet that announces too much is refused by its header: first ones, short ones, and PUBLISH', async (t) => {
  const { credentials, log } = await testBroker(t);
  const tls = await credentials('pi-1');
  const cases: [string, Buffer, boolean][] = [
    ['CONNECT', header(0x10, 5_000_000), false],
    ['CONNECT', header(0x10, 8 * 1024 + 1), false],
    ['SUBSCRIBE', header(0x82, 8 * 1024 + 1), true],
    ['PUBLISH', header(0x32, MESSAGE_LIMIT + 1025), true],
    ['PUBLISH', header(0x32, 200_000_000), true],
    ['five bytes of length', Buffer.of(0x32, 0x80, 0x80, 0x80, 0x80, 1), true],
    ['no CONNECT', publishPacket('adbreak/v1/devices/pi-1/windows', '{}'), false],
  ];
  for (const [what, bytes, connected] of cases) {
    const sockets = arrivals(t);
    const client = connected
      ? await RawClient.connected(t, tls, { id: 'pi-1' })
      : await RawClient.open(t, tls);
    log.length = 0;
    await flood(client, bytes, 3_000_000);
    await until(`the end after ${what}`, () => client.closed);
    assert.ok(bytesRead(sockets) < A_FEW_READS, `${what}: ${bytesRead(sockets)} bytes were read`);
    await until('the log', () =>
      log.some((line) => /^mqtt: pi-1: input_(too_large|invalid): Cannot read/.test(line)),
    );
  }
});

test('the longest permitted PUBLISH passes, in whatever pieces it comes', async (t) => {
  const { credentials, taken } = await testBroker(t);
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  const bytes = publishPacket('adbreak/v1/devices/pi-1/windows', 'x'.repeat(MESSAGE_LIMIT));
  client.send(bytes);
  const cuts = [0, 1, 2, 3, 4, 5, 1000, bytes.length];
  for (const [index, start] of cuts.entries()) {
    client.send(bytes.subarray(start, cuts[index + 1]));
    await sleep(5);
  }
  await until('two acknowledgements', () => client.packets(4).length === 2);
  assert.deepEqual(
    taken.map(({ payload }) => payload.length),
    [MESSAGE_LIMIT, MESSAGE_LIMIT],
  );
});

test('who is slow is ended: no handshake, no CONNECT, half a CONNECT', async (t) => {
  const { broker, credentials } = await testBroker(t, { connectMs: 400 });
  const tls = await credentials('pi-1');
  const bare = tcpConnect(broker.port, '127.0.0.1');
  const bareClosed = once(bare, 'close');
  bare.on('error', () => bare.destroy());
  bare.resume();
  const silent = await RawClient.open(t, tls);
  const half = await RawClient.open(t, tls);
  const connect = connectPacket({ id: 'pi-1' });
  half.send(connect.subarray(0, 20));
  // A byte now and then does not buy time.
  for (let at = 20; !half.closed && at < connect.length - 1; at += 1) {
    half.send(connect.subarray(at, at + 1));
    await sleep(100);
  }
  await until('the slow ones have ended', () => silent.closed && half.closed);
  await Promise.race([bareClosed, sleep(5000).then(() => assert.fail('the bare connection goes on'))]);
});

test('the broker closes at once, though a connection never speaks', async (t) => {
  const { broker } = await testBroker(t);
  const bare = tcpConnect(broker.port, '127.0.0.1');
  t.after(() => bare.destroy());
  bare.on('error', () => undefined);
  await once(bare, 'connect');
  const closed = await Promise.race([broker.close().then(() => true), sleep(4000, false)]);
  assert.ok(closed);
});

test('keep alive 0, and one of hours, are refused', async (t) => {
  const { credentials, log } = await testBroker(t);
  for (const keepalive of [0, 301, 65_535]) {
    const client = await RawClient.open(t, await credentials('pi-1'));
    client.send(connectPacket({ id: 'pi-1', keepalive }));
    await until('the end', () => client.closed);
    assert.deepEqual(client.packets(2), ['20020005']);
    await until('the log', () =>
      log.some((line) => line.includes(`keep alive must be 1 to 300 s: it is ${keepalive}`)),
    );
  }
});

/** The sessions that a server hands out within a moment, and whether it let the client in. */
async function sessionsOf(
  options: ConnectionOptions,
): Promise<{ sessions: Buffer[]; reused: boolean; answer: string }> {
  const socket = tlsConnect(options);
  const sessions: Buffer[] = [];
  let answer = '';
  socket.on('session', (session) => sessions.push(session));
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('hex');
  });
  socket.on('error', () => socket.destroy());
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let reused = false;
  socket.on('secureConnect', () => {
    reused = socket.isSessionReused();
    socket.write(connectPacket({ id: 'pi-1' }));
  });
  // A refusal closes; who is let in has the answer, and the tickets before it (RFC 8446 section 4.6.1: right after the handshake).
  await Promise.race([closed, until('an answer', () => answer.length >= 8, 10).catch(() => undefined)]);
  socket.destroy();
  await closed;
  return { sessions, reused, answer };
}

test('no TLS session is resumed: a ticket opens nothing without the key, and who shows no certificate is given none', async (t) => {
  const { credentials, online, log } = await testBroker(t);
  const { key: _, cert: __, ...bare } = await credentials('pi-1');
  const honest = await sessionsOf(await credentials('pi-1'));
  assert.equal(honest.answer, '20020000');
  const anonymous = await sessionsOf(bare);
  assert.equal(anonymous.answer, '');
  await until('offline', () => online.get('pi-1') === false);
  online.clear();
  assert.equal(anonymous.sessions.length, 0);
  assert.ok(honest.sessions.length > 0);
  for (const session of honest.sessions) {
    log.length = 0;
    const resumed = await sessionsOf({ ...bare, session });
    assert.equal(resumed.reused, false);
    assert.equal(resumed.answer, '');
    await until('the log', () => log.some((line) => /^mqtt: refused 127\.0\.0\.1: .*certificate/.test(line)));
  }
  assert.equal(online.size, 0);
  const again = await sessionsOf({
    ...(await credentials('pi-1')),
    ...(honest.sessions[0] && { session: honest.sessions[0] }),
  });
  assert.deepEqual(
    { reused: again.reused, answer: again.answer },
    { reused: false, answer: '20020000' },
    'with the key a full handshake follows',
  );
});

test('a certificate that names no device is refused: the hub’s own, and a name that is no topic level', async (t) => {
  const { authority, credentials, broker, log } = await testBroker(t);
  const server = await authority.issueServer([], new Date());
  for (const options of [
    {
      host: '127.0.0.1',
      port: broker.port,
      ca: authority.certificate,
      key: server.key,
      cert: server.certificate,
    },
    await credentials('Pi_One'),
  ]) {
    log.length = 0;
    const client = await RawClient.open(t, options);
    client.send(connectPacket({ id: 'Pi_One' }));
    await until('the end', () => client.closed);
    assert.ok(!client.packets(2).includes('20020000'));
    await until('the log', () => log.some((line) => /forbidden|refused/.test(line)));
  }
});

test('useCertificate: new handshakes get the new certificate, sessions that are open go on', async (t) => {
  const { broker, authority, credentials, taken } = await testBroker(t);
  const old = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  const before = old.socket.getPeerCertificate().fingerprint256;
  broker.useCertificate(await authority.issueServer(['new.example'], new Date()));
  const fresh = await RawClient.connected(t, await credentials('pi-2'), { id: 'pi-2' });
  assert.notEqual(fresh.socket.getPeerCertificate().fingerprint256, before);
  assert.match(fresh.socket.getPeerCertificate().subjectaltname ?? '', /new\.example/);
  old.send(publishPacket('adbreak/v1/devices/pi-1/windows', 'still here'));
  await until('its acknowledgement', () => old.packets(4).length === 1);
  assert.deepEqual(
    taken.map(({ payload }) => payload),
    ['still here'],
  );
  // The rules of the first context hold in the new one.
  const { key: _, cert: __, ...bare } = await credentials('pi-3');
  const { sessions, answer } = await sessionsOf(bare);
  assert.equal(answer, '');
  assert.equal(sessions.length, 0);
});

test('noise of every kind ends connections, never the broker: an agent beside it goes on', async (t) => {
  const seed = 'broker noise 1';
  const random = seeded(seed);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => random.integer(256)));
  const { broker, credentials, taken, online } = await testBroker(t, { connectMs: 1000 });
  const tls = await credentials('pi-9');
  const agent = await connectAsync('mqtts://127.0.0.1', {
    ...(await credentials('pi-1')),
    clientId: 'pi-1',
    username: 'i',
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  t.after(() => agent.endAsync(true));
  const hello = await clientHello();
  const packets = [
    connectPacket({ id: 'pi-9', will: { topic: 'adbreak/v1/devices/pi-9/status', payload: '{}' } }),
    subscribePacket(['adbreak/v1/devices/pi-9/desired']),
    publishPacket('adbreak/v1/devices/pi-9/windows', '{"a": 1}'),
    ...[0x40, 0x50, 0x62, 0x70, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0].map((first) => Buffer.of(first, 2, 0, 1)),
  ];
  const mutated = () => {
    const bytes = Buffer.concat(Array.from({ length: 1 + random.integer(4) }, () => random.pick(packets)));
    for (let change = random.integer(4); change > 0; change -= 1)
      bytes[random.integer(bytes.length)] = random.integer(256);
    return bytes.subarray(0, random.integer(10) === 0 ? random.integer(bytes.length) : bytes.length);
  };
  for (let round = 0; round < 400; round += 1) {
    if (round % 4 === 0) {
      // Before TLS: noise, or a handshake that is cut somewhere.
      const socket = tcpConnect(broker.port, '127.0.0.1');
      socket.on('error', () => socket.destroy());
      socket.write(
        random.integer(2) === 0
          ? noise(random.integer(300))
          : hello.subarray(0, random.integer(hello.length)),
      );
      await once(socket, 'ready').catch(() => undefined);
      await sleep(2);
      if (random.integer(2) === 0) socket.destroy();
      else socket.resetAndDestroy();
    } else {
      const client = await RawClient.open(t, tls);
      if (round % 4 === 1) client.send(random.integer(2) === 0 ? noise(1 + random.integer(300)) : mutated());
      else
        client.send(
          connectPacket({ id: 'pi-9' }),
          round % 4 === 2 ? mutated() : noise(1 + random.integer(300)),
        );
      if (random.integer(2) === 0)
        await Promise.race([once(client.socket, 'data').catch(() => undefined), sleep(5)]);
      client.socket.destroy();
    }
    if (round % 50 === 49)
      await agent.publishAsync('adbreak/v1/devices/pi-1/windows', `after ${round}`, { qos: 1 });
  }
  assert.ok(agent.connected, `seed: ${seed}`);
  assert.equal(taken.filter(({ device }) => device === 'pi-1').length, 8, `seed: ${seed}`);
  await until(
    'nothing of the noise stays',
    () => broker.conflict('pi-9', 'another') === null && online.get('pi-9') !== true,
  );
});

/** The first flight of a real TLS client. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const client = tlsConnect({
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
  });
  client.on('error', () => client.destroy());
  const [socket]: Socket[] = await once(server, 'connection');
  assert.ok(socket);
  const [bytes]: Buffer[] = await once(socket, 'data');
  assert.ok(bytes);
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}
