import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync } from 'mqtt';
import { connectPacket, publishPacket, RawClient, subscribePacket, testBroker } from './testing.js';

/** Who may say and hear what, over the real wire. */
const own = (kind: string) => `adbreak/v1/devices/pi-1/${kind}`;
const REFUSED = ['20020005'];

test('a persistent session is refused with CONNACK 5, a code in the log, and nothing of it stays', async (t) => {
  const { broker, credentials, log } = await testBroker(t);
  const tls = await credentials('pi-1');
  const client = await RawClient.open(t, tls);
  client.send(connectPacket({ id: 'pi-1', clean: false }));
  await until('the end', () => client.closed);
  assert.deepEqual(client.packets(2), REFUSED);
  await until('the log', () =>
    log.some((line) => /^mqtt: pi-1: input_invalid: .*clean session must be set/.test(line)),
  );
  assert.equal(broker.conflict('pi-1', 'another'), null, 'the identity is free');
});

test('no device reads another: a stored `#` of a session before delivers nothing', async (t) => {
  const { broker, credentials, taken } = await testBroker(t);
  const tls = await credentials('pi-1');
  for (const [round, clean] of [false, false, true].entries()) {
    const spy = await RawClient.open(t, tls);
    spy.send(connectPacket({ id: 'pi-1', clean }));
    if (round === 0) spy.send(subscribePacket([own('desired'), '#']));
    await until('an answer', () => spy.closed || spy.packets(2).length > 0);
    const other = await RawClient.connected(t, await credentials('pi-2'), {
      id: 'pi-2',
      instance: String(round),
    });
    other.send(publishPacket('adbreak/v1/devices/pi-2/windows', `secret ${round}`));
    await until('it was taken', () => taken.some(({ payload }) => payload === `secret ${round}`));
    await broker.publish('pi-2', 'desired', `desired ${round}`);
    await sleep(50);
    assert.deepEqual(spy.packets(3), [], `round ${round}`);
    for (const client of [spy, other]) client.socket.destroy();
    await until('pi-2 has left', () => broker.conflict('pi-2', 'x') === null);
  }
});

const FOREIGN = [
  '#',
  '+/v1/devices/pi-1/desired',
  'adbreak/v1/devices/+/desired',
  `${own('desired')}/#`,
  'adbreak/v1/devices/pi-2/desired',
  own('windows'),
  own('desired/'),
  `/${own('desired')}`,
  'adbreak/v1/devices//desired',
  'adbreak/v1/devices/pi-1//desired',
  `$share/group/${own('desired')}`,
  '$SYS/#',
  '$SYS/+/new/clients',
  'a/'.repeat(150),
];
test('a refused filter ends the session, wherever it stands, and says so', async (t) => {
  const { broker, credentials, log } = await testBroker(t);
  const tls = await credentials('pi-1');
  for (const filter of FOREIGN) {
    const client = await RawClient.connected(t, tls, { id: 'pi-1' });
    client.send(subscribePacket([own('desired'), filter, own('desired')]));
    await until(`the end after ${filter}`, () => client.closed);
    assert.deepEqual(client.packets(9), [], 'no SUBACK');
    await broker.publish('pi-1', 'desired', 'a word');
    assert.deepEqual(client.packets(3), []);
    await until('the line', () => log.some((line) => line.startsWith('mqtt: pi-1: ')));
    log.length = 0;
  }
});

test('its own `desired` reaches a device, retained and new', async (t) => {
  const { broker, credentials } = await testBroker(t);
  await broker.publish('pi-1', 'desired', 'first');
  const client = await connectAsync('mqtts://127.0.0.1', {
    ...(await credentials('pi-1')),
    clientId: 'pi-1',
    username: 'i',
    protocolVersion: 4,
  });
  t.after(() => client.endAsync(true));
  const words: string[] = [];
  client.on('message', (_, payload) => words.push(payload.toString()));
  await client.subscribeAsync(own('desired'), { qos: 1 });
  await until('the retained word', () => words.includes('first'));
  await broker.publish('pi-2', 'desired', 'for another');
  await broker.publish('pi-1', 'desired', 'second');
  await until('the new word', () => words.includes('second'));
  assert.deepEqual(words, ['first', 'second']);
});

test('a last will is checked as a PUBLISH is, and is a status or none', async (t) => {
  const { broker, credentials, log } = await testBroker(t);
  const tls = await credentials('pi-1');
  const wills = [
    { topic: 'adbreak/v1/devices/pi-2/status', payload: '{}' },
    { topic: own('desired'), payload: '{}' },
    { topic: '$SYS/x/heartbeat', payload: '{}' },
    { topic: 'a/'.repeat(120), payload: '{}' },
    { topic: own('windows'), payload: '{}', retain: true },
    { topic: own('windows'), payload: '{}' },
    { topic: own('events'), payload: '{}', qos: 0 },
    { topic: own('reported'), payload: '{}', retain: true },
    { topic: own('evaluations/round-1'), payload: '{}' },
    { topic: own('replies/0b5c7c1e-0001'), payload: '{}' },
    { topic: own('status'), payload: '{}', qos: 2 },
    { topic: own('status'), payload: 'x'.repeat(20_000) },
  ];
  for (const will of wills) {
    const client = await RawClient.open(t, tls);
    client.send(connectPacket({ id: 'pi-1', will }));
    await until(`the end after a will on ${will.topic}`, () => client.closed);
    assert.ok(!client.packets(2).includes('20020000'));
    assert.equal(broker.conflict('pi-1', 'another'), null);
  }
  await until(
    'the log',
    () =>
      log.filter((line) => /its last will is refused|a packet of type 1/.test(line)).length === wills.length,
  );
});

test('the will of the real agent is taken when its line is cut or reset, not when it says good-bye', async (t) => {
  const { credentials, taken, online } = await testBroker(t);
  const will = { topic: own('status'), payload: 'gone', qos: 1, retain: true };
  const tls = await credentials('pi-1');
  const polite = await RawClient.connected(t, tls, { id: 'pi-1', will });
  polite.send(Buffer.of(0xe0, 0));
  await until('it left', () => online.get('pi-1') === false);
  assert.deepEqual(taken, []);
  for (const end of ['destroy', 'resetAndDestroy'] as const) {
    const socket = connect(tls.port, tls.host);
    await RawClient.connected(t, { ...tls, socket }, { id: 'pi-1', will });
    assert.equal(online.get('pi-1'), true);
    socket[end]();
    await until(`the will, by ${end}`, () => taken.length === 1);
    assert.deepEqual(taken.splice(0), [{ device: 'pi-1', kind: 'status', payload: 'gone' }]);
    await until('offline', () => online.get('pi-1') === false);
  }
});

test('a forbidden PUBLISH ends the session before anything is taken', async (t) => {
  const { credentials, taken } = await testBroker(t);
  const tls = await credentials('pi-1');
  const packets = [
    publishPacket('adbreak/v1/devices/pi-2/windows', '{}'),
    publishPacket(own('desired'), '{}'),
    publishPacket(own('windows'), '{}', { retain: true }),
    publishPacket(own('windows'), '{}', { qos: 2 }),
    publishPacket(own('windows'), 'x'.repeat(MESSAGE_LIMIT + 1)),
    publishPacket('$SYS/any/heartbeat', 'any'),
    publishPacket(`${own('windows')}/more`, '{}'),
    publishPacket('a/'.repeat(120), '{}'),
  ];
  for (const [index, bytes] of packets.entries()) {
    const client = await RawClient.connected(t, tls, { id: 'pi-1' });
    client.send(bytes);
    await until(`the end after packet ${index}`, () => client.closed);
    assert.deepEqual([...client.packets(4), ...client.packets(5)], []);
  }
  assert.deepEqual(taken, []);
});

test('PUBACK waits for its own `take` and for those before it; `take` hears packets in order', async (t) => {
  const open = new Map<string, () => void>();
  const take = (_: string, __: string, payload: Uint8Array) =>
    new Promise<void>((resolve) => open.set(Buffer.from(payload).toString(), resolve));
  const { credentials, taken } = await testBroker(t, { take });
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  // One segment: the same window twice, then another.
  const windows = ['window', 'window again', 'next'];
  client.send(
    ...windows.map((payload, index) => publishPacket(own('windows'), payload, { identifier: index + 1 })),
  );
  await until('all three were handed over', () => open.size === 3);
  assert.deepEqual(
    taken.map(({ payload }) => payload),
    windows,
  );
  open.get('window again')?.();
  open.get('next')?.();
  await sleep(100);
  assert.deepEqual(client.packets(4), [], 'the first is not on the disk yet');
  open.get('window')?.();
  await until('all acknowledgements', () => client.packets(4).length === 3);
  assert.deepEqual(client.packets(4), ['40020001', '40020002', '40020003']);
});

test('a message that could not be taken is never acknowledged, nor what came after it', async (t) => {
  const take = async (_: string, __: string, payload: Uint8Array) => {
    if (Buffer.from(payload).toString() === 'bad') throw new Error('the disk is full');
  };
  const { credentials, log } = await testBroker(t, { take });
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  client.send(
    publishPacket(own('windows'), 'bad', { identifier: 1 }),
    publishPacket(own('windows'), 'good', { identifier: 2 }),
  );
  await until('the end', () => client.closed);
  assert.deepEqual(client.packets(4), []);
  assert.ok(log.includes('mqtt: pi-1: the disk is full'));
});

test('a connection keeps nothing of the messages that were taken', async (t) => {
  const { credentials } = await testBroker(t);
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  const acknowledged = async (count: number) => {
    const before = client.packets(4).length;
    for (let sent = 0; sent < count; sent++)
      client.send(publishPacket(own('windows'), 'x', { identifier: 1 + (sent % 60_000) }));
    await until('all acknowledgements', () => client.packets(4).length === before + count, 60);
  };
  await acknowledged(100);
  const arrays = () => queryObjects(Array, { format: 'count' });
  const before = arrays();
  await acknowledged(3000);
  client.received = Buffer.alloc(0);
  const more = arrays() - before;
  // The test's broker notes each message, in no array of its own.
  assert.ok(more < 1000, `${more} arrays more after 3,000 messages`);
});

test('what follows a CONNECT in its segment is taken in order after the answer, however much it is', async (t) => {
  const { credentials, taken } = await testBroker(t);
  const client = await RawClient.open(t, await credentials('pi-1'));
  const payloads = Array.from({ length: 200 }, (_, index) => `window ${index}`);
  client.send(
    connectPacket({ id: 'pi-1' }),
    ...payloads.map((payload, index) => publishPacket(own('windows'), payload, { identifier: index + 1 })),
  );
  await until('all acknowledgements', () => client.closed || client.packets(4).length === payloads.length);
  assert.deepEqual(
    taken.map(({ payload }) => payload),
    payloads,
  );
});

test('the same agent anew ends its older connection; another one is refused; revocation ends all, also before CONNECT', async (t) => {
  const { broker, credentials, online } = await testBroker(t);
  const tls = await credentials('pi-1');
  const first = await RawClient.connected(t, tls, { id: 'pi-1', instance: 'a' });
  const second = await RawClient.connected(t, tls, { id: 'pi-1', instance: 'a' });
  await until('the first has ended', () => first.closed);
  assert.equal(online.get('pi-1'), true);
  const stranger = await RawClient.open(t, tls);
  stranger.send(connectPacket({ id: 'pi-1', instance: 'b' }));
  await until('the stranger is refused', () => stranger.closed);
  assert.deepEqual(stranger.packets(2), REFUSED);
  const silent = await RawClient.open(t, tls);
  await sleep(50);
  broker.disconnect('pi-1');
  await until('both have ended', () => second.closed && silent.closed);
  await until('offline', () => online.get('pi-1') === false);
});
