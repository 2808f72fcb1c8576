import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as tcpConnect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import { limitHandshakes } from './connections.js';
import { Complaints } from './faults.js';
import { LIMITS } from './limits.js';
import { PacketMeter } from './packets.js';
import { connectPacket, header, publishPacket, RawClient, subscribePacket, testBroker } from './testing.js';

/** How much may come, how often, and for how long it may stand. */
const own = (kind: string) => `adbreak/v1/devices/pi-1/${kind}`;
const tooMuch = new AdbreakError('too_many_requests', 'Cannot take more of pi-1');

test('each packet is charged by its header, and the first beyond the quota ends the session unread', async (t) => {
  const charged: number[] = [];
  const spend = (_: string, bytes: number) => (charged.push(bytes) > 3 ? tooMuch : null);
  const { credentials, taken, log } = await testBroker(t, { spend });
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  const packets = [publishPacket(own('windows'), 'one'), Buffer.of(0xc0, 0)];
  client.send(...packets);
  await until('both answers', () => client.packets(4).length + client.packets(13).length === 2);
  client.send(header(0x32, 60_000));
  await until('the end', () => client.closed);
  const lengths = [connectPacket({ id: 'pi-1' }), ...packets].map(({ length }) => length);
  assert.deepEqual(charged, [...lengths, 60_004]);
  assert.equal(taken.length, 1);
  await until('the log', () => log.includes('mqtt: pi-1: too_many_requests: Cannot take more of pi-1'));
});

test('who is barred is turned away at the handshake, and hears why over HTTPS as in a conflict', async (t) => {
  let barred: AdbreakError | null = tooMuch;
  const { broker, credentials, online } = await testBroker(t, { barred: () => barred });
  const client = await RawClient.open(t, await credentials('pi-1'));
  await until('the answer', () => client.packets(2).length === 1);
  assert.deepEqual([client.packets(2), online.size], [['20020005'], 0]);
  assert.equal(broker.conflict('pi-1', 'i'), tooMuch);
  barred = null;
  await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
});

test('a topic that is too long ends the session by its length, before the rest of the packet is there', async (t) => {
  const { credentials, log } = await testBroker(t);
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  client.send(header(0x32, 1000), Buffer.of(0));
  await sleep(20);
  assert.equal(client.closed, false);
  client.send(Buffer.of(LIMITS.topic + 1));
  await until('the end', () => client.closed);
  await until('the log', () =>
    log.some((line) => /pi-1: input_too_large: .*its topic has 181 bytes/.test(line)),
  );
});

test('the longest topic that a device has passes, and a longer one does not', () => {
  const meter = () => {
    const made = new PacketMeter(() => null);
    made.next(connectPacket({ id: 'pi-1' }), 0);
    return made;
  };
  const longest = `adbreak/v1/devices/${'d'.repeat(63)}/evaluations/${'r'.repeat(80)}`;
  assert.ok(meter().next(publishPacket(longest, '{}'), 0) !== null);
  assert.throws(() => meter().next(publishPacket('a/'.repeat(99), '{}'), 0), { code: 'input_too_large' });
});

test('a topic and a filter of a level more than any has are refused with a code', async (t) => {
  const { credentials, log, taken } = await testBroker(t);
  const deep = `${own('evaluations')}/round-1/more`;
  for (const packet of [
    subscribePacket([deep]),
    publishPacket(deep, '{}'),
    publishPacket('/'.repeat(180), '{}'),
  ]) {
    log.length = 0;
    const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
    client.send(packet);
    await until('the end', () => client.closed);
    await until('the log', () =>
      log.some((line) => /^mqtt: pi-1: input_invalid: .*too many levels/.test(line)),
    );
  }
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  client.send(publishPacket(`${own('evaluations')}/round-1`, '{}'));
  await until('it is taken', () => taken.length === 1);
});

test('a session subscribes so many times, and no more', async (t) => {
  const { credentials, log } = await testBroker(t);
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  for (let n = 1; n <= LIMITS.subscriptions; n += 1) client.send(subscribePacket([own('desired')], n));
  await until('all are granted', () => client.packets(9).length === LIMITS.subscriptions);
  client.send(subscribePacket([own('desired')], 99));
  await until('the end', () => client.closed);
  assert.ok(log.some((line) => /^mqtt: pi-1: too_many_requests: Cannot subscribe/.test(line)));
});

test('a device has so many connections at once; another device has its own', async (t) => {
  const { credentials, log } = await testBroker(t);
  const tls = await credentials('pi-1');
  const session = await RawClient.connected(t, tls, { id: 'pi-1' });
  const idle = [];
  while (idle.length < LIMITS.connectionsOfDevice - 1) idle.push(await RawClient.open(t, tls));
  // Open on the client's side is not yet counted on the other.
  await sleep(50);
  const one = await RawClient.open(t, tls);
  await until('it is turned away', () => one.closed);
  assert.deepEqual(one.packets(2), ['20020005']);
  assert.ok(log.some((line) => /^mqtt: too_many_requests: Cannot connect pi-1/.test(line)));
  await RawClient.connected(t, await credentials('pi-2'), { id: 'pi-2' });
  idle[0]?.socket.destroy();
  await sleep(50);
  const again = await RawClient.open(t, tls);
  await sleep(50);
  assert.deepEqual([again.closed, session.closed], [false, false]);
});

test('who does not read what it is sent is ended, with a code, and the others hear theirs meanwhile', async (t) => {
  const { broker, credentials, log } = await testBroker(t, { slowMs: 500 });
  const slow = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  const other = await RawClient.connected(t, await credentials('pi-2'), { id: 'pi-2' });
  slow.send(subscribePacket([own('desired')]));
  other.send(subscribePacket(['adbreak/v1/devices/pi-2/desired']));
  await until('both are subscribed', () => slow.packets(9).length + other.packets(9).length === 2);
  slow.socket.pause();
  const words = Array.from({ length: 400 }, () => broker.publish('pi-1', 'desired', 'x'.repeat(60_000)));
  await until('its end', () => log.some((line) => /^mqtt: pi-1: timed_out: Cannot go on/.test(line)));
  await Promise.all(words);
  await broker.publish('pi-2', 'desired', 'a word');
  await until('the other hears it', () => other.packets(3).length === 1);
});

test('an expired certificate is refused with a code, before anything is read', async (t) => {
  const { credentials, log } = await testBroker(t, { lifetimes: { device: 1000, server: 3_600_000 } });
  const tls = await credentials('pi-1');
  await sleep(2500);
  const client = await RawClient.open(t, tls);
  client.send(connectPacket({ id: 'pi-1' }));
  await until('the end', () => client.closed);
  assert.deepEqual(client.packets(2), []);
  await until('the log', () => log.some((line) => /^mqtt: refused .*: identity_expired: /.test(line)));
});

test('a session ends with the certificate that it began with', async (t) => {
  const { credentials, log } = await testBroker(t, { lifetimes: { device: 3000, server: 3_600_000 } });
  const [tls, began] = [await credentials('pi-1'), Date.now()];
  const client = await RawClient.connected(t, tls, { id: 'pi-1' });
  await until('the end', () => client.closed);
  assert.ok(Date.now() - began > 1900, 'not before');
  await until('the log', () =>
    log.some((line) => /^mqtt: pi-1: identity_expired: .*its certificate ended at/.test(line)),
  );
});

test('an address that connects too often is cut off, and takes nothing of what is there for all', async (t) => {
  const server = createServer();
  const refused: string[] = [];
  const rates = { all: { burst: 4, perSecond: 0.001 }, each: { burst: 3, perSecond: 0.001 } };
  limitHandshakes(server, rates, (address) => refused.push(address));
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (!socket.destroyed) socket.write('in');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const isIn = async (localAddress: string) => {
    const socket = tcpConnect({ host: '127.0.0.1', port, localAddress });
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    return Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
  };
  const answers: boolean[] = [];
  for (const address of [
    '127.0.0.1',
    '127.0.0.1',
    '127.0.0.1',
    '127.0.0.1',
    '127.0.0.1',
    '127.0.0.2',
    '127.0.0.3',
  ])
    answers.push(await isIn(address));
  assert.deepEqual(answers, [true, true, true, false, false, true, false]);
  assert.deepEqual(refused, ['127.0.0.1', '127.0.0.1', '127.0.0.3']);
});

test('lines about one address are bounded, told how many were left out, and nobody else’s', () => {
  const lines: string[] = [];
  const complaints = new Complaints((line) => lines.push(line));
  for (let n = 0; n < LIMITS.lines.burst + 5; n += 1) complaints.say('one', 'a line', {});
  complaints.say('two', 'another', {});
  assert.equal(lines.length, LIMITS.lines.burst + 1);
  assert.equal(lines.at(-1), 'another (5 lines before it were left out)');
});
