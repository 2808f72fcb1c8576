import { connectPacket, publishPacket, RawClient } from '@adbreak/hub/broker/testing.js';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import type { Attack } from '../attack.js';
import { assertHeardNothing, ended, rawSession } from '../ground.js';

const CONNACK_ACCEPTED = '20020000';
const PUBACK = 4;
const PUBREC = 5;
const WORD = JSON.stringify({ online: false, agent: 'rogue', at: '2026-01-01T00:00:00.000Z' });

interface Message {
  readonly topic: string;
  readonly payload?: string;
  readonly qos?: number;
  readonly retain?: boolean;
}
type Case = readonly [what: string, message: Message, refused?: ErrorCode];

/** G stands for the good device, R for the rogue. */
const OTHERS: readonly Case[] = [
  ['another’s status', { topic: 'adbreak/v1/devices/G/status', retain: true }],
  ['another’s windows', { topic: 'adbreak/v1/devices/G/windows' }],
  ['another’s events', { topic: 'adbreak/v1/devices/G/events', qos: 0 }],
  ['another’s round', { topic: 'adbreak/v1/devices/G/evaluations/round-1' }],
  ['another’s desired state', { topic: 'adbreak/v1/devices/G/desired', retain: true }],
  ['its own desired state', { topic: 'adbreak/v1/devices/R/desired', retain: true }],
  ['a topic of the broker', { topic: '$SYS/any/heartbeat' }],
  ['a topic of nobody', { topic: 'homeassistant/switch/x/config', retain: true }],
  ['a level more', { topic: 'adbreak/v1/devices/R/windows/more' }],
  ['a level that is empty', { topic: 'adbreak/v1/devices/R/evaluations/' }],
  ['the kind `constructor`', { topic: 'adbreak/v1/devices/R/constructor' }],
  ['the kind `__proto__`', { topic: 'adbreak/v1/devices/R/__proto__' }],
  ['the device `constructor`', { topic: 'adbreak/v1/devices/constructor/windows' }],
  ['the device `__proto__`', { topic: 'adbreak/v1/devices/__proto__/windows' }],
  ['another’s answer to a command', { topic: 'adbreak/v1/devices/G/replies/0b5c7c1e-0001' }],
  ['a command to another', { topic: 'adbreak/v1/devices/G/commands/0b5c7c1e-0001' }],
  ['a command to itself', { topic: 'adbreak/v1/devices/R/commands/0b5c7c1e-0001' }],
  ['a command of an operator', { topic: 'adbreak/v1/operators/R/commands/0b5c7c1e-0001' }],
  ['an answer to an operator', { topic: 'adbreak/v1/operators/desk/replies/0b5c7c1e-0001' }],
  ['the state of a rollout', { topic: 'adbreak/v1/rollouts/base-ad-detector-2.0.0', retain: true }],
  ['an answer to the command `__proto__`', { topic: 'adbreak/v1/devices/R/replies/__proto__' }],
  ['its windows, retained', { topic: 'adbreak/v1/devices/R/windows', retain: true }],
  ['its windows at QoS 2', { topic: 'adbreak/v1/devices/R/windows', qos: 2 }, 'input_invalid'],
];
const PUBLISHED: readonly Case[] = [
  ...OTHERS,
  ['all by a wildcard', { topic: 'adbreak/v1/devices/+/status' }, 'input_invalid'],
  ['a topic without a name', { topic: '' }, 'input_invalid'],
  ['a topic of 120 levels', { topic: 'a/'.repeat(120) }, 'input_too_large'],
  ['a topic of 60,000 bytes', { topic: 'a'.repeat(60_000) }, 'input_too_large'],
  [
    'a payload a byte too long',
    { topic: 'adbreak/v1/devices/R/windows', payload: ' '.repeat(MESSAGE_LIMIT + 1) },
    'input_too_large',
  ],
];
/** What it may write, and may not leave behind. */
const LEFT: readonly Case[] = [
  ['a window of its own', { topic: 'adbreak/v1/devices/R/windows' }],
  ['an event of its own', { topic: 'adbreak/v1/devices/R/events', qos: 0 }],
  ['its reported state', { topic: 'adbreak/v1/devices/R/reported', retain: true }],
  ['its part of a round', { topic: 'adbreak/v1/devices/R/evaluations/round-1' }],
  ['its answer to a command', { topic: 'adbreak/v1/devices/R/replies/0b5c7c1e-0001' }],
];
const named = (topic: string, good: string, rogue: string) =>
  topic.replace('/G/', `/${good}/`).replace('/R/', `/${rogue}/`);

export const WRITING: readonly Attack[] = [
  ...PUBLISHED.map(
    ([what, { topic, payload = WORD, qos = 1, retain = false }, refused = 'forbidden']): Attack => ({
      name: `writes ${what}`,
      refused,
      attempt: async (ground, rogue) => {
        const client = await rawSession(rogue);
        client.send(publishPacket(named(topic, ground.good, rogue.device), payload, { qos, retain }));
        await ended(client, what);
        assertHeardNothing(client, PUBACK, PUBREC);
        return { about: rogue.device };
      },
    }),
  ),
  ...[...OTHERS, ...LEFT].map(
    ([what, { topic, qos = 1, retain = false }, refused = 'forbidden']): Attack => ({
      name: `leaves as its last will ${what}`,
      refused,
      attempt: async (ground, rogue) => {
        const client = await RawClient.open(rogue, rogue.tls);
        const will = { topic: named(topic, ground.good, rogue.device), payload: WORD, qos, retain };
        client.send(connectPacket({ id: rogue.device, will }));
        await ended(client, what);
        if (client.packets(2).includes(CONNACK_ACCEPTED)) throw new Error('its session was accepted');
        return { about: rogue.device };
      },
    }),
  ),
];
