import { setTimeout as sleep } from 'node:timers/promises';
import {
  connectPacket,
  operatorKey,
  publishPacket,
  RawClient,
  subscribePacket,
} from '@adbreak/hub/broker/testing.js';
import { callBy } from '@adbreak/hub/cli/client.js';
import { makeOperator, type OperatorPair } from '@adbreak/hub/testing/operator.js';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import type { OperatorRole } from '@adbreak/shared/contract/operators.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import type { Attack, Heard } from '../attack.js';
import { assertHeardNothing, DESK, ended, type Ground, type Rogue } from '../ground.js';

const [CONNACK, PUBLISH, PUBACK, PUBREC, SUBACK] = [2, 3, 4, 5, 9];
const ACCEPTED = '20020000';
const REFUSED = '20020005';
const ID = '0b5c7c1e-0001';

/** Operators of rows, by the rogue whose name they have. */
const pairs = new WeakMap<Rogue, OperatorPair>();
/** For `prepare`: the rogue gets a certificate as an operator, beside the one of a device. */
export function asOperator(role: OperatorRole) {
  return async ({ hub }: Ground, rogue: Rogue): Promise<void> => {
    pairs.set(rogue, await makeOperator(hub, rogue.device, role));
  };
}
export function pairOf(rogue: Rogue): OperatorPair {
  const pair = pairs.get(rogue);
  if (pair === undefined) throw new Error(`${rogue.device} is no operator`);
  return pair;
}

/** G stands for the good device, R for the rogue, D for the other operator. */
const named = (topic: string, ground: Ground, rogue: Rogue) =>
  topic
    .replace('/G/', `/${ground.good}/`)
    .replace('/R/', `/${rogue.device}/`)
    .replace('/D/', `/${DESK}/`)
    .replace('/ROLLOUT', `/${ground.rollout}`);

const FILTERS: readonly string[] = [
  '#',
  '+/#',
  'adbreak/v1/operators/#',
  'adbreak/v1/operators/+/replies/+',
  'adbreak/v1/operators/D/replies/+',
  `adbreak/v1/operators/D/replies/${ID}`,
  'adbreak/v1/operators/R/+/+',
  'adbreak/v1/operators/R/#',
  'adbreak/v1/operators/R/commands/+',
  'adbreak/v1/operators/D/commands/+',
  'adbreak/v1/operators/__proto__/replies/+',
  'adbreak/v1/rollouts/#',
  'adbreak/v1/devices/+/status',
  'adbreak/v1/devices/G/desired',
  'adbreak/v1/devices/G/commands/+',
  'adbreak/v1/devices/R/desired',
  '$SYS/#',
];

interface Message {
  readonly topic: string;
  readonly qos?: number;
  readonly retain?: boolean;
}
const WRITTEN: readonly (readonly [what: string, message: Message, refused?: ErrorCode])[] = [
  ['a command of another operator', { topic: `adbreak/v1/operators/D/commands/${ID}` }],
  ['an answer to another operator', { topic: `adbreak/v1/operators/D/replies/${ID}` }],
  ['an answer to itself', { topic: `adbreak/v1/operators/R/replies/${ID}` }],
  ['how a rollout stands', { topic: 'adbreak/v1/rollouts/ROLLOUT', retain: true }],
  ['a command to a device', { topic: `adbreak/v1/devices/G/commands/${ID}` }],
  ['a device’s answer', { topic: `adbreak/v1/devices/G/replies/${ID}` }],
  ['what a device shall run', { topic: 'adbreak/v1/devices/G/desired', retain: true }],
  ['the windows of a device that has its name', { topic: 'adbreak/v1/devices/R/windows' }],
  ['a command that stays', { topic: `adbreak/v1/operators/R/commands/${ID}`, retain: true }],
  ['a command at QoS 2', { topic: `adbreak/v1/operators/R/commands/${ID}`, qos: 2 }, 'input_invalid'],
  ['a command of the name `__proto__`', { topic: 'adbreak/v1/operators/R/commands/__proto__' }],
  ['a command of a short name', { topic: 'adbreak/v1/operators/R/commands/x' }],
  ['a command a level too deep', { topic: `adbreak/v1/operators/R/commands/${ID}/x` }, 'input_invalid'],
];

function session(rogue: Rogue): Promise<RawClient> {
  return RawClient.connected(rogue, rogue.as(pairOf(rogue)), { id: `operator:${rogue.device}` });
}
const STATUS = JSON.stringify({
  command: 'status',
  deadline: new Date(Date.now() + 3_600_000).toISOString(),
  model: 'base-ad-detector',
});

/** Comes with a certificate under a client id, and with a command behind its CONNECT. */
async function comeAs(rogue: Rogue, tls: Rogue['tls'], client: string, about: string): Promise<Heard> {
  const raw = await RawClient.open(rogue, tls);
  const name = client.split(':')[1] ?? client;
  raw.send(
    connectPacket({ id: client }),
    publishPacket(`adbreak/v1/operators/${name}/commands/${ID}`, STATUS),
  );
  await ended(raw, 'its CONNECT');
  assertHeardNothing(raw, PUBACK);
  const [answer = REFUSED] = raw.packets(CONNACK);
  if (answer !== REFUSED) throw new Error(`it was answered with ${answer}`);
  return { about };
}
/** A certificate of the fleet's authority that nobody was given. */
async function forgedOperator(ground: Ground, rogue: Rogue, name: string) {
  return rogue.as(await operatorKey(await ground.stolenAuthority(), name));
}

export const OPERATORS: readonly Attack[] = [
  ...FILTERS.map(
    (pattern): Attack => ({
      name: `an operator reads by ${pattern}`,
      refused: 'forbidden',
      prepare: asOperator('admin'),
      attempt: async (ground, rogue) => {
        const client = await session(rogue);
        const own = `adbreak/v1/operators/${rogue.device}/replies/+`;
        client.send(subscribePacket([own, named(pattern, ground, rogue), own]));
        await ground.answers();
        await ended(client, pattern);
        assertHeardNothing(client, SUBACK, PUBLISH);
        return { about: rogue.device };
      },
    }),
  ),
  ...WRITTEN.map(
    ([what, { topic, qos = 1, retain = false }, refused = 'forbidden']): Attack => ({
      name: `an operator writes ${what}`,
      refused,
      prepare: asOperator('admin'),
      attempt: async (ground, rogue) => {
        const client = await session(rogue);
        client.send(publishPacket(named(topic, ground, rogue), STATUS, { qos, retain }));
        await ended(client, what);
        assertHeardNothing(client, PUBACK, PUBREC);
        return { about: rogue.device };
      },
    }),
  ),
  {
    name: 'an operator leaves a command as its last will',
    refused: 'forbidden',
    prepare: asOperator('admin'),
    attempt: async (_, rogue) => {
      const client = await RawClient.open(rogue, rogue.as(pairOf(rogue)));
      const will = { topic: `adbreak/v1/operators/${rogue.device}/commands/${ID}`, payload: STATUS };
      client.send(connectPacket({ id: `operator:${rogue.device}`, will }));
      await ended(client, 'its CONNECT');
      if (client.packets(CONNACK).includes(ACCEPTED)) throw new Error('its session was accepted');
      return { about: rogue.device };
    },
  },
  {
    name: 'an operator takes another operator’s session over',
    refused: 'forbidden',
    prepare: asOperator('admin'),
    attempt: (_, rogue) => comeAs(rogue, rogue.as(pairOf(rogue)), `operator:${DESK}`, rogue.device),
  },
  {
    name: 'an operator takes the good device’s session over',
    refused: 'forbidden',
    prepare: asOperator('admin'),
    attempt: ({ good }, rogue) => comeAs(rogue, rogue.as(pairOf(rogue)), good, rogue.device),
  },
  {
    name: 'a device comes as the operator that has its name',
    refused: 'forbidden',
    prepare: asOperator('admin'),
    attempt: (_, rogue) => comeAs(rogue, rogue.tls, `operator:${rogue.device}`, rogue.device),
  },
  {
    name: 'an operator comes with a certificate of the fleet’s authority under a name that nobody has',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      const tls = await forgedOperator(ground, rogue, rogue.device);
      return comeAs(rogue, tls, `operator:${rogue.device}`, 'its certificate is not known');
    },
  },
  {
    name: 'an operator comes with a certificate of the fleet’s authority under the name of another',
    refused: 'unauthorized',
    attempt: async (ground, rogue) =>
      comeAs(
        rogue,
        await forgedOperator(ground, rogue, DESK),
        `operator:${DESK}`,
        'its certificate is not known',
      ),
  },
  {
    name: 'an operator comes with a certificate that was revoked',
    refused: 'identity_revoked',
    prepare: async (ground, rogue) => {
      await asOperator('admin')(ground, rogue);
      await callBy(ground.hub, operators.revoke, { params: { name: rogue.device } });
    },
    attempt: (_, rogue) => comeAs(rogue, rogue.as(pairOf(rogue)), `operator:${rogue.device}`, rogue.device),
  },
  {
    name: 'an operator comes with a certificate that has ended',
    refused: 'identity_expired',
    prepare: async (ground, rogue) => {
      const second = 1 / 86_400;
      pairs.set(rogue, await makeOperator(ground.hub, rogue.device, 'admin', second));
      await sleep(2500);
    },
    attempt: (_, rogue) => comeAs(rogue, rogue.as(pairOf(rogue)), `operator:${rogue.device}`, 'refused'),
  },
];
