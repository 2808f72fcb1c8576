import { connectPacket, RawClient, subscribePacket } from '@adbreak/hub/broker/testing.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import { assertHeardNothing, ended, type Ground, rawSession } from '../ground.js';

const SUBACK = 9;
const PUBLISH = 3;

/**
 * Every kind of filter that would show another device's topics, or the broker's own; G stands for the good
 * device, R for the rogue.
 */
const FILTERS: readonly (readonly [filter: string, refused?: ErrorCode])[] = [
  ['#'],
  ['+/#'],
  ['adbreak/#'],
  ['adbreak/v1/devices/#'],
  ['adbreak/v1/devices/+/windows'],
  ['adbreak/v1/devices/+/desired'],
  ['+/+/+/+/desired'],
  ['adbreak/v1/devices/G/desired'],
  ['adbreak/v1/devices/G/status'],
  ['adbreak/v1/devices/G/#'],
  ['adbreak/v1/devices/R/#'],
  ['adbreak/v1/devices/R/+'],
  ['adbreak/v1/devices/R/windows'],
  ['adbreak/v1/devices/R/desired/#'],
  ['/adbreak/v1/devices/G/status'],
  ['adbreak/v1/devices//status'],
  ['adbreak/v1/devices/G/desired/'],
  ['$share/group/adbreak/v1/devices/+/status', 'input_invalid'],
  ['$share/group/#'],
  ['$SYS/#'],
  ['$SYS/+/new/clients'],
  ['adbreak/v1/devices/G/commands/+'],
  ['adbreak/v1/devices/+/commands/+'],
  ['adbreak/v1/devices/R/commands/#'],
  ['adbreak/v1/devices/R/replies/+'],
  ['adbreak/v1/operators/+/replies/+'],
  ['adbreak/v1/operators/R/replies/+'],
  ['adbreak/v1/rollouts/+'],
  ['adbreak/v1/devices/constructor/status'],
  ['adbreak/v1/devices/__proto__/status'],
  ['+a/b', 'input_invalid'],
  ['ab#', 'input_invalid'],
  // Aedes takes it for a filter; nobody may read by it.
  ['a#'],
  ['a/'.repeat(150), 'input_invalid'],
];

/** Beside its own `desired`, before and behind it in one SUBSCRIBE, while the good device speaks. */
async function subscribe(ground: Ground, client: RawClient, device: string, filter: string): Promise<void> {
  client.send(subscribePacket([topicOf(device, 'desired'), filter, topicOf(device, 'desired')]));
  await ground.answers();
  await ended(client, filter);
  assertHeardNothing(client, SUBACK, PUBLISH);
}

export const READING: readonly Attack[] = [
  ...FILTERS.map(
    ([pattern, refused = 'forbidden']): Attack => ({
      name: `reads by ${pattern.slice(0, 50)}`,
      refused,
      attempt: async (ground, rogue) => {
        const filter = pattern.replace('/G/', `/${ground.good}/`).replace('/R/', `/${rogue.device}/`);
        await subscribe(ground, await rawSession(rogue), rogue.device, filter);
        return { about: rogue.device };
      },
    }),
  ),
  {
    name: 'reads by a session that is stored with `#` and taken up again',
    refused: 'input_invalid',
    attempt: async (ground, rogue) => {
      for (const clean of [false, false]) {
        const client = await RawClient.open(rogue, rogue.tls);
        client.send(connectPacket({ id: rogue.device, clean }), subscribePacket(['#']));
        await ground.answers();
        await ended(client, 'clean session 0');
        assertHeardNothing(client, SUBACK, PUBLISH);
      }
      const client = await rawSession(rogue);
      await ground.answers();
      assertHeardNothing(client, PUBLISH);
      return { about: rogue.device };
    },
  },
  {
    name: 'reads by subscribing after a refused subscription, on the next connection',
    refused: 'forbidden',
    attempt: async (ground, rogue) => {
      await subscribe(ground, await rawSession(rogue), rogue.device, '#');
      const client = await rawSession(rogue);
      client.send(subscribePacket([topicOf(rogue.device, 'desired')]));
      await until('its own is granted', () => client.packets(SUBACK).length === 1);
      await ground.answers();
      const foreign = client
        .packets(PUBLISH)
        .find((hex) => Buffer.from(hex, 'hex').includes(`/${ground.good}/`));
      if (foreign !== undefined) throw new Error(`it heard ${foreign.slice(0, 200)}`);
      return { about: rogue.device };
    },
  },
];
