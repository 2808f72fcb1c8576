import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync } from 'mqtt';
import { connectPacket, publishPacket, RawClient, subscribePacket, testBroker } from './testing.js';

/** Who commands over the real wire, and who does not. */
const ID = '0b5c7c1e-0001';
const commands = (name: string, id = ID) => `adbreak/v1/operators/${name}/commands/${id}`;
const replies = (name: string, id = ID) => `adbreak/v1/operators/${name}/replies/${id}`;

async function commanded(t: TestContext) {
  const heard: string[] = [];
  const listening: string[] = [];
  const refused = new Map<string, AdbreakError>();
  const own = await testBroker(t, {
    commands: {
      admit: (name) => refused.get(name) ?? null,
      take: async ({ operator }, id, payload) => void heard.push(`${operator} ${id} ${Buffer.from(payload)}`),
      answered: async (device, id, payload) => void heard.push(`${device} ${id} ${Buffer.from(payload)}`),
      listening: (device, listens) => void listening.push(`${device} ${listens}`),
    },
  });
  return { ...own, heard, listening, refusedOperators: refused };
}

test('an operator writes its own commands, and reads its replies and rollouts: by name, or by the one wildcard of each', async (t) => {
  const { broker, operatorCredentials, heard } = await commanded(t);
  const client = await connectAsync('mqtts://127.0.0.1', {
    ...(await operatorCredentials('desk')),
    clientId: 'operator:desk:screen',
    protocolVersion: 4,
    reconnectPeriod: 0,
  });
  t.after(() => client.endAsync(true));
  const words: string[] = [];
  client.on('message', (topic, payload) => words.push(`${topic} ${payload}`));
  await broker.say({ topic: 'adbreak/v1/rollouts/r1', payload: 'kept', retain: true });
  await client.subscribeAsync(['adbreak/v1/operators/desk/replies/+', 'adbreak/v1/rollouts/+'], { qos: 1 });
  await until('the retained state', () => words.includes('adbreak/v1/rollouts/r1 kept'));
  await client.publishAsync(commands('desk'), 'a command', { qos: 1 });
  assert.deepEqual(heard, [`desk ${ID} a command`]);
  for (const name of ['other', 'desk'])
    await broker.say({ topic: replies(name), payload: `for ${name}`, retain: false });
  await broker.publish('desk', 'desired', 'of a device with this name');
  await until('the reply', () => words.length === 2);
  await sleep(50);
  assert.deepEqual(words.slice(1), [`${replies('desk')} for desk`]);
});

test('a device and an operator of one name are two: neither comes in as the other, nor ends its session', async (t) => {
  const { credentials, operatorCredentials, online } = await commanded(t);
  const [device, operator] = [await credentials('desk'), await operatorCredentials('desk')];
  const first = await RawClient.connected(t, device, { id: 'desk' });
  const second = await RawClient.connected(t, operator, { id: 'operator:desk' });
  for (const [tls, id] of [
    [operator, 'desk'],
    [device, 'operator:desk'],
    [operator, 'operator:other'],
    [operator, 'operator:desk:'],
    [operator, 'operator:desk:a:b'],
  ] as const) {
    const client = await RawClient.open(t, tls);
    client.send(connectPacket({ id }));
    await until(`the end of ${id}`, () => client.closed);
    assert.ok(!client.packets(2).includes('20020000'), id);
  }
  assert.deepEqual([first.closed, second.closed], [false, false]);
  assert.deepEqual([...online], [['desk', true]], 'an operator is no device that is online');
});

test('whatever else an operator writes or asks for ends its session, and nothing of it is taken', async (t) => {
  const { operatorCredentials, heard, taken } = await commanded(t);
  const tls = await operatorCredentials('desk');
  const packets = [
    publishPacket(commands('other'), '{}'),
    publishPacket(commands('desk', 'short'), '{}'),
    publishPacket(replies('desk'), '{}'),
    publishPacket('adbreak/v1/rollouts/r1', '{}'),
    publishPacket('adbreak/v1/devices/desk/status', '{}'),
    publishPacket(commands('desk'), '{}', { retain: true }),
    publishPacket(commands('desk'), '{}', { qos: 2 }),
    ...[
      '#',
      'adbreak/v1/operators/+/replies/+',
      'adbreak/v1/operators/desk/+/+',
      commands('desk'),
      replies('other'),
      'adbreak/v1/rollouts/#',
      'adbreak/v1/devices/desk/desired',
      'adbreak/v1/devices/desk/commands/+',
      '$SYS/#',
    ].map((filter) => subscribePacket([filter])),
  ];
  for (const [index, bytes] of packets.entries()) {
    const client = await RawClient.connected(t, tls, { id: 'operator:desk' });
    client.send(bytes);
    await until(`the end after packet ${index}`, () => client.closed);
    assert.deepEqual([...client.packets(4), ...client.packets(5), ...client.packets(9)], [], String(index));
  }
  assert.deepEqual([heard, taken], [[], []]);
});

test('a last will of an operator, and one that is not let in, are refused before anything is read', async (t) => {
  const { operatorCredentials, refusedOperators, log } = await commanded(t);
  const tls = await operatorCredentials('desk');
  const will = { topic: commands('desk'), payload: '{}' };
  const client = await RawClient.open(t, tls);
  client.send(connectPacket({ id: 'operator:desk', will }));
  await until('the end', () => client.closed);
  assert.ok(log.some((line) => /operators leave no last will/.test(line)));
  refusedOperators.set('desk', new AdbreakError('identity_revoked', 'Cannot let operator desk in'));
  const late = await RawClient.open(t, tls);
  await until('turned away', () => late.packets(2).includes('20020005'));
  assert.ok(log.some((line) => line.startsWith('mqtt: identity_revoked: ')));
});

test('who connects again with the same client id ends the session before; revocation ends all of a name', async (t) => {
  const { broker, operatorCredentials } = await commanded(t);
  const tls = await operatorCredentials('desk');
  const first = await RawClient.connected(t, tls, { id: 'operator:desk:a', instance: 'one' });
  const other = await RawClient.connected(t, tls, { id: 'operator:desk:b' });
  const second = await RawClient.connected(t, tls, { id: 'operator:desk:a', instance: 'two' });
  await until('the first has ended', () => first.closed);
  assert.deepEqual([other.closed, second.closed], [false, false]);
  broker.disconnect('operator:desk');
  await until('both have ended', () => other.closed && second.closed);
});

test('a broker that commands nothing lets no operator in', async (t) => {
  const { operatorCredentials, log } = await testBroker(t);
  const client = await RawClient.open(t, await operatorCredentials('desk'));
  await until('turned away', () => client.packets(2).includes('20020005'));
  assert.ok(log.some((line) => line.startsWith('mqtt: forbidden: ')));
});

test('a device hears its own commands once it listens, answers them, and reads nobody else’s', async (t) => {
  const { broker, credentials, heard, listening } = await commanded(t);
  const client = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
  await broker.command('pi-1', ID, 'too early');
  client.send(subscribePacket(['adbreak/v1/devices/pi-1/desired', 'adbreak/v1/devices/pi-1/commands/+']));
  await until('it listens', () => listening.includes('pi-1 true'));
  await broker.command('pi-2', ID, 'for another');
  await broker.command('pi-1', ID, 'for it');
  await until('its command', () => client.packets(3).length === 1);
  assert.match(
    Buffer.from(client.packets(3)[0] ?? '', 'hex').toString('latin1'),
    /pi-1\/commands\/.*for it$/,
  );
  client.send(publishPacket(`adbreak/v1/devices/pi-1/replies/${ID}`, 'an answer'));
  await until('the answer', () => heard.includes(`pi-1 ${ID} an answer`));
  client.socket.destroy();
  await until('it listens no more', () => listening.includes('pi-1 false'));
  for (const bytes of [
    publishPacket(`adbreak/v1/devices/pi-2/replies/${ID}`, '{}'),
    publishPacket(`adbreak/v1/devices/pi-1/commands/${ID}`, '{}'),
    publishPacket(`adbreak/v1/devices/pi-1/replies/${ID}`, '{}', { retain: true }),
    subscribePacket(['adbreak/v1/devices/pi-2/commands/+']),
    subscribePacket(['adbreak/v1/devices/pi-1/commands/#']),
    subscribePacket([`adbreak/v1/devices/pi-1/commands/${ID}`]),
    subscribePacket([`adbreak/v1/devices/pi-1/replies/${ID}`]),
  ]) {
    const rogue = await RawClient.connected(t, await credentials('pi-1'), { id: 'pi-1' });
    rogue.send(bytes);
    await until('the end', () => rogue.closed);
  }
  assert.equal(heard.length, 1);
});
