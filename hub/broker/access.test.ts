import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@adbreak/shared/testing/until.js';
import { Aedes } from 'aedes';
import { connect } from 'mqtt';
import { reading } from './access.js';

test('delivery is checked by itself: subscriptions to everything, stored in a session, deliver one’s own `desired` alone', async (t) => {
  // Aedes with our rule for delivery, and none for subscriptions: the store holds whatever it is given.
  const aedes = await Aedes.createBroker({ authorizeForward: reading.authorizeForward });
  const server = createServer((socket) => void aedes.handle(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  t.after(() => new Promise<void>((resolve) => aedes.close(() => server.close(() => resolve()))));
  const say = (topic: string, retain = false) =>
    new Promise<void>((resolve, reject) =>
      aedes.publish(
        { cmd: 'publish', topic, payload: Buffer.from('x'), qos: 1, retain, dup: false },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  const everything = async (retain: boolean) => {
    for (const device of ['pi-1', 'pi-2', ''])
      for (const kind of ['desired', 'windows', 'status', 'desired/more'])
        await say(`adbreak/v1/devices/${device}/${kind}`, retain);
    await say('adbreak/v1/devices', retain);
    await say('$SYS/other/new/clients', retain);
  };
  await everything(true);
  const heard: string[] = [];
  const join = async () => {
    const client = connect(`mqtt://127.0.0.1:${address.port}`, {
      clientId: 'pi-1',
      clean: false,
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    t.after(() => client.endAsync(true));
    // Before the connection: what was kept follows the CONNACK at once.
    client.on('message', (topic) => heard.push(topic));
    await new Promise<unknown>((resolve, reject) => client.once('connect', resolve).once('error', reject));
    return client;
  };
  const client = await join();
  const granted = await client.subscribeAsync(
    ['#', '$SYS/#', 'adbreak/+/devices/+/+', 'adbreak/v1/devices/pi-2/desired'],
    { qos: 1 },
  );
  assert.ok(granted.every(({ qos }) => qos === 1));
  await everything(false);
  await client.endAsync();
  // Kept for the session while it is away.
  await everything(false);
  const before = heard.length;
  await join();
  await everything(false);
  await until('the restored subscriptions deliver', () => heard.length > before);
  await sleep(100);
  assert.ok(before > 0);
  assert.deepEqual([...new Set(heard)], ['adbreak/v1/devices/pi-1/desired']);
});
