import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callBy } from '@adbreak/hub/cli/client.js';
import { TestOperator } from '@adbreak/hub/testing/operator.js';
import { COMMAND_LIMIT } from '@adbreak/shared/contract/commands.js';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import {
  LEAST_ROLE,
  type OperatorCommand,
  type OperatorReply,
  type OperatorRole,
  operatorTopic,
  roleSuffices,
} from '@adbreak/shared/contract/operators.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import type { Ground, Rogue } from '../ground.js';
import { asOperator, pairOf } from './operators.js';

const MODEL = 'base-ad-detector';
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
type Fields = Readonly<Record<string, unknown>>;

/** One of each kind that would move something; a kind that is new does not compile until it stands here. */
function commandsOf({ rollout, good }: Ground): Readonly<Record<OperatorCommand['command'], Fields>> {
  const order = { rollout, reason: 'an attack' };
  return {
    promote: { model: MODEL, version: '2.0.0', percent: 50 },
    pause: order,
    resume: order,
    approve: order,
    abort: order,
    rollback: order,
    'set-device': { device: good, tags: { owner: 'rogue' } },
    status: { model: MODEL },
  };
}
const KINDS = Object.keys(LEAST_ROLE) as OperatorCommand['command'][];
const above = (role: OperatorRole) => KINDS.filter((kind) => !roleSuffices(role, kind));

async function connected({ hub }: Ground, rogue: Rogue): Promise<TestOperator> {
  return TestOperator.connect(rogue, hub, pairOf(rogue));
}
/** The code of a refusal. Throws where it was carried out. */
function codeOf(reply: OperatorReply): { code: string } {
  if (reply.outcome === 'done') throw new Error(`it was carried out: ${JSON.stringify(reply).slice(0, 200)}`);
  return { code: reply.error.code };
}

/** Bytes under a name of a command, and what is answered to that very sending. */
async function tell(operator: TestOperator, rogue: Rogue, id: string, bytes: string): Promise<OperatorReply> {
  const before = operator.replies.get(id)?.length ?? 0;
  await operator.client.publishAsync(operatorTopic(rogue.device, 'commands', id), bytes, { qos: 1 });
  await until('a reply', () => (operator.replies.get(id)?.length ?? 0) > before);
  return operator.replies.get(id)?.at(-1) ?? Promise.reject(new Error('there was a reply a moment ago'));
}

/** Commands of an operator that no role makes right, as objects beside a deadline. */
const WRONG: readonly (readonly [what: string, refused: ErrorCode, fields: (ground: Ground) => Fields])[] = [
  [
    'past the gate, by `force`',
    'input_invalid',
    () => ({ command: 'promote', model: MODEL, version: '2.0.0', force: true }),
  ],
  [
    'past the gate, as an order',
    'input_invalid',
    ({ rollout }) => ({ command: 'force', rollout, reason: 'x' }),
  ],
  ['an exception away', 'input_invalid', () => ({ command: 'lift', model: MODEL, exception: 'device=good' })],
  [
    'a plan in full',
    'input_invalid',
    () => ({ command: 'promote', model: MODEL, version: '2.0.0', plan: { name: 'mine', margin: 0.1 } }),
  ],
  [
    'a plan by a path',
    'input_invalid',
    () => ({ command: 'promote', model: MODEL, version: '2.0.0', plan: '../demo' }),
  ],
  [
    'more than all devices',
    'input_invalid',
    () => ({ command: 'promote', model: MODEL, version: '2.0.0', percent: 1e9 }),
  ],
  ['how the model `__proto__` stands', 'input_invalid', () => ({ command: 'status', model: '__proto__' })],
  ['how the model `constructor` stands', 'not_found', () => ({ command: 'status', model: 'constructor' })],
  [
    'the version of another form',
    'input_invalid',
    () => ({ command: 'promote', model: MODEL, version: 'constructor' }),
  ],
  [
    'the rollout `constructor`',
    'not_found',
    () => ({ command: 'abort', rollout: 'constructor', reason: 'x' }),
  ],
  [
    'the device `constructor`',
    'input_invalid',
    () => ({ command: 'set-device', device: 'constructor', tags: { a: 'b' } }),
  ],
  [
    'a tag that nothing may be called',
    'input_invalid',
    ({ good }) => ({ command: 'set-device', device: good, tags: { 'a b': 'c' } }),
  ],
  [
    'a device to a model that is not there',
    'not_found',
    ({ good }) => ({ command: 'set-device', device: good, model: 'constructor' }),
  ],
  ['what nobody knows', 'input_invalid', () => ({ command: 'constructor' })],
];

const TEXTS: readonly (readonly [what: string, refused: ErrorCode, text: (deadline: string) => string])[] = [
  [
    '`__proto__` as a key',
    'input_invalid',
    (deadline) =>
      `{"__proto__":{"role":"admin"},"command":"status","deadline":"${deadline}","model":"${MODEL}"}`,
  ],
  [
    '`__proto__` as a tag',
    'input_invalid',
    (deadline) =>
      `{"command":"set-device","deadline":"${deadline}","device":"good","tags":{"__proto__":"x"}}`,
  ],
  [
    '`constructor.prototype` as a key',
    'input_invalid',
    (deadline) =>
      `{"constructor":{"prototype":{"role":"admin"}},"command":"status","deadline":"${deadline}","model":"${MODEL}"}`,
  ],
  ['a list of 4,000 lists', 'input_invalid', () => '['.repeat(4000) + ']'.repeat(4000)],
  ['bytes that are no JSON', 'input_invalid', () => 'status'],
  ['nothing', 'input_invalid', () => ''],
  [
    'a byte more than a command may have',
    'input_too_large',
    (deadline) =>
      `{"command":"status","deadline":"${deadline}","model":"${MODEL}"}`.padEnd(COMMAND_LIMIT + 1, ' '),
  ],
];

export const COMMANDING: readonly Attack[] = [
  ...above('viewer').map(
    (command): Attack => ({
      name: `an operator of the role viewer commands ${command}`,
      refused: 'forbidden',
      prepare: asOperator('viewer'),
      attempt: async (ground, rogue) =>
        codeOf(await (await connected(ground, rogue)).ask({ command, ...commandsOf(ground)[command] })),
    }),
  ),
  {
    name: 'an operator of the role viewer commands all that is above it, at once',
    refused: 'forbidden',
    prepare: asOperator('viewer'),
    attempt: async (ground, rogue) => {
      const operator = await connected(ground, rogue);
      const all = above('viewer').map((command) => operator.ask({ command, ...commandsOf(ground)[command] }));
      for (const reply of await Promise.all(all)) {
        const { code } = codeOf(reply);
        if (code !== 'forbidden') return { code };
      }
      return { code: 'forbidden' };
    },
  },
  {
    name: 'an operator goes on with the role that was taken from it',
    refused: 'forbidden',
    prepare: asOperator('operator'),
    attempt: async (ground, rogue) => {
      const operator = await connected(ground, rogue);
      // The role itself is put back: what is left is what was commanded in between.
      const setRole = (role: OperatorRole) =>
        callBy(ground.hub, operators.setRole, { params: { name: rogue.device }, body: { role } });
      await setRole('viewer');
      const reply = await operator.ask({ command: 'abort', ...commandsOf(ground).abort });
      await setRole('operator');
      return codeOf(reply);
    },
  },
  ...(['promote', 'rollback'] as const).map(
    (command): Attack => ({
      name: `an operator over MQTT takes an administrator’s plan by its name: ${command}`,
      refused: 'forbidden',
      prepare: asOperator('operator'),
      attempt: async (ground, rogue) => {
        const operator = await connected(ground, rogue);
        const fields = { ...commandsOf(ground)[command], ...(command === 'promote' && { supersede: true }) };
        return codeOf(await operator.ask({ command, ...fields, plan: 'demo' }));
      },
    }),
  ),
  ...WRONG.map(
    ([what, refused, fields]): Attack => ({
      name: `an operator commands ${what}`,
      refused,
      prepare: asOperator('admin'),
      attempt: async (ground, rogue) => {
        const { command, ...rest } = fields(ground);
        return codeOf(await (await connected(ground, rogue)).ask({ command: String(command), ...rest }));
      },
    }),
  ),
  ...TEXTS.map(
    ([what, refused, text]): Attack => ({
      name: `an operator sends ${what} as a command`,
      refused,
      prepare: asOperator('admin'),
      attempt: async (ground, rogue) =>
        codeOf(await tell(await connected(ground, rogue), rogue, randomUUID(), text(inMs(300_000)))),
    }),
  ),
  {
    name: 'an operator sends another command under a name that was used',
    refused: 'conflict',
    prepare: async (ground, rogue) => {
      await asOperator('admin')(ground, rogue);
      const used = await connected(ground, rogue);
      const reply = await used.ask({ command: 'status', model: MODEL }, { id: `used-${rogue.device}` });
      if (reply.outcome !== 'done') throw new Error(`the first was refused: ${reply.error.message}`);
      rogue.leave();
    },
    attempt: async (ground, rogue) => {
      const abort = { command: 'abort', ...commandsOf(ground).abort };
      return codeOf(await (await connected(ground, rogue)).ask(abort, { id: `used-${rogue.device}` }));
    },
  },
  {
    name: 'an operator replays under a new name what was commanded before, after its deadline',
    refused: 'command_expired',
    prepare: asOperator('admin'),
    attempt: async (ground, rogue) => {
      const operator = await connected(ground, rogue);
      const deadline = inMs(1500);
      const abort = { command: 'abort', ...commandsOf(ground).abort };
      await sleep(2000);
      return codeOf(await operator.ask(abort, { deadline }));
    },
  },
  {
    name: 'an operator commands what shall hold for ten years',
    refused: 'input_invalid',
    prepare: asOperator('admin'),
    attempt: async (ground, rogue) => {
      const abort = { command: 'abort', ...commandsOf(ground).abort };
      const deadline = inMs(10 * 365 * 24 * 3_600_000);
      return codeOf(await (await connected(ground, rogue)).ask(abort, { deadline }));
    },
  },
  {
    name: 'an operator asks 100 times how a model stands that is not there',
    refused: 'too_many_requests',
    prepare: asOperator('viewer'),
    attempt: async (ground, rogue) => {
      const operator = await connected(ground, rogue);
      const ask = () => operator.ask({ command: 'status', model: 'no-such-model' });
      const replies = await ground.undisturbed(Promise.all(Array.from({ length: 100 }, ask)));
      const codes = replies.map((reply) => codeOf(reply).code);
      return { code: codes.find((code) => code !== 'not_found') ?? 'not_found' };
    },
  },
];
