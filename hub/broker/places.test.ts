import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { until } from '@adbreak/shared/testing/until.js';
import { type PlaceLimits, Places } from './places.js';
import { RawClient, testBroker } from './testing.js';

/** A listener with few places, and both ends of each connection to it. */
async function listener(t: TestContext, limits: PlaceLimits) {
  const refused: string[] = [];
  const server = createServer();
  const places = new Places(server, limits, (address, why) => refused.push(`${address}: ${why}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { port } = address;
  /** From an address of this machine; the hub's end of it, and whether it is still there. */
  const open = async (localAddress: string): Promise<{ theirs: Socket; ours: Socket }> => {
    const taken = once(server, 'connection');
    const theirs = connect({ port, host: '127.0.0.1', localAddress });
    theirs.on('error', () => undefined).resume();
    t.after(() => theirs.destroy());
    const [ours]: Socket[] = await taken;
    assert.ok(ours !== undefined);
    ours.on('error', () => undefined).resume();
    t.after(() => ours.destroy());
    return { theirs, ours };
  };
  return { places, open, refused };
}
const isOpen = ({ ours }: { ours: Socket }) => !ours.destroyed;

test('when all places are taken the one that was silent longest is closed for the newest; who is busy or has shown a certificate is not', async (t) => {
  const { places, open, refused } = await listener(t, { all: 5, each: 5, kept: 1 });
  const device = await open('127.0.20.1');
  places.hold(device.ours, 'device');
  const [first, second, third, fourth] = [
    await open('127.0.20.2'),
    await open('127.0.20.2'),
    await open('127.0.20.2'),
    await open('127.0.20.2'),
  ];
  places.mark(first.ours, true);
  // It asked and was answered later than the others came.
  places.mark(second.ours, true);
  places.mark(second.ours, false);
  const newest = await open('127.0.20.3');
  assert.deepEqual([device, first, second, third, fourth, newest].map(isOpen), [
    true,
    true,
    true,
    false,
    true,
    true,
  ]);
  await until('it is told of whom', () => /^127\.0\.20\.2: all places are taken/.test(refused[0] ?? ''));
  await open('127.0.20.3');
  await open('127.0.20.3');
  assert.deepEqual([second, fourth].map(isOpen), [false, false], 'the other two that say nothing');
  assert.deepEqual([device, first].map(isOpen), [true, true]);
});

test('where all who are not known ask something, the one that has been asking longest makes room, and nobody who is known', async (t) => {
  const { places, open } = await listener(t, { all: 3, each: 3, kept: 0 });
  const [person, slow, slower] = [
    await open('127.0.20.1'),
    await open('127.0.20.2'),
    await open('127.0.20.2'),
  ];
  places.know(person.ours);
  for (const { ours } of [person, slow, slower]) places.mark(ours, true);
  const newest = await open('127.0.20.3');
  assert.deepEqual([person, slow, slower, newest].map(isOpen), [true, false, true, true]);
  places.know(slower.ours);
  places.know(newest.ours);
  places.mark(newest.ours, true);
  const tooMany = await open('127.0.20.3');
  assert.deepEqual([person, slower, newest, tooMany].map(isOpen), [true, true, true, false]);
  person.theirs.destroy();
  await once(person.ours, 'close');
  assert.ok(isOpen(await open('127.0.20.3')), 'a place that was left is free again');
});

test('one address has its own bound, and another is not touched by it', async (t) => {
  const { open, refused } = await listener(t, { all: 10, each: 2, kept: 0 });
  const [one, two, three] = [await open('127.0.20.1'), await open('127.0.20.1'), await open('127.0.20.1')];
  assert.deepEqual([one, two, three].map(isOpen), [true, true, false]);
  assert.deepEqual(refused, ['127.0.20.1: it holds 2 connections']);
  assert.ok(isOpen(await open('127.0.20.2')));
  one.theirs.destroy();
  await once(one.ours, 'close');
  assert.ok(isOpen(await open('127.0.20.1')));
});

test('MQTT: strangers keep no device out, and devices no operator', async (t) => {
  const connections = { all: 4, each: 10, kept: 1 };
  const { broker, credentials, operatorCredentials, log } = await testBroker(t, {
    connections,
    commands: {
      admit: () => null,
      take: async () => undefined,
      answered: async () => undefined,
      listening: () => undefined,
    },
  });
  const strangers = Array.from({ length: 4 }, () => connect(broker.port, '127.0.0.1'));
  for (const socket of strangers) {
    socket.on('error', () => undefined).resume();
    t.after(() => socket.destroy());
    await once(socket, 'connect');
  }
  const devices: RawClient[] = [];
  for (const id of ['pi-1', 'pi-2', 'pi-3'])
    devices.push(await RawClient.connected(t, await credentials(id), { id }));
  const one = await RawClient.open(t, await credentials('pi-4'));
  await until('it is turned away', () => one.closed);
  assert.deepEqual(one.packets(2), ['20020005']);
  assert.ok(log.some((line) => /too_many_requests: Cannot connect pi-4: devices hold all/.test(line)));
  await RawClient.connected(t, await operatorCredentials('desk'), { id: 'operator:desk' });
  assert.ok(devices.every(({ closed }) => !closed));
});
