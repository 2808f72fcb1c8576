import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deadlineRefusal } from './commands.js';
import { MESSAGE_LIMIT } from './messages.js';
import {
  ALL_ROLLOUTS,
  isOperatorFilter,
  LEAST_ROLE,
  OPERATOR_DEADLINE_MS,
  type OperatorReply,
  operatorCommand,
  operatorOfClient,
  operatorReply,
  operatorTopic,
  parseOperatorTopic,
  type RolloutState,
  roleSuffices,
  rolloutTopic,
} from './operators.js';
import { parseTopic } from './topics.js';

const DEADLINE = '2026-01-01T12:05:00.000Z';
const ID = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const STATE: RolloutState = {
  revision: 41,
  id: 'base-ad-detector-2.0.0-1a2b3c',
  model: 'base-ad-detector',
  kind: 'rollout',
  from: { version: '1.0.0', digest: 'a'.repeat(64) },
  to: { version: '2.0.0', digest: 'b'.repeat(64) },
  status: 'running',
  stage: { index: 1, of: 4, name: 'canary', since: '2026-01-01T00:00:00.000Z' },
  percent: 10,
  ceiling: 100,
  devices: { members: 40, acting: 4 },
  episodes: 812.5,
  last: {
    at: '2026-01-01T11:59:30.000Z',
    verdict: 'HOLD',
    cause: 'evidence',
    reason: 'about 300 episodes are missing',
    action: 'none',
  },
  startedAt: '2025-12-30T00:00:00.000Z',
  at: '2026-01-01T12:00:00.000Z',
};

describe('topics of operators', () => {
  test('lead to operator and command, and back', () => {
    for (const kind of ['commands', 'replies'] as const)
      assert.deepEqual(parseOperatorTopic(operatorTopic('ada', kind, ID)), { kind, operator: 'ada', id: ID });
    assert.deepEqual(parseOperatorTopic(rolloutTopic(STATE.id)), { kind: 'rollouts', rollout: STATE.id });
  });
  for (const topic of [
    'adbreak/v1/operators/ada/commands',
    'adbreak/v1/operators/ada/commands/short',
    `adbreak/v1/operators/ada/commands/${ID}/more`,
    `adbreak/v1/operators/ada/orders/${ID}`,
    `adbreak/v1/operators/ada/toString/${ID}`,
    `adbreak/v1/operators/ADA/commands/${ID}`,
    `adbreak/v1/operators/constructor/commands/${ID}`,
    `adbreak/v1/operators/+/commands/${ID}`,
    'adbreak/v1/operators/ada/replies/+',
    `adbreak/v1/operators//commands/${ID}`,
    `adbreak/v1/devices/ada/commands/${ID}`,
    'adbreak/v1/rollouts',
    'adbreak/v1/rollouts/',
    'adbreak/v1/rollouts/one/two',
    ALL_ROLLOUTS,
    '',
  ])
    test(`${JSON.stringify(topic)} is none`, () => assert.equal(parseOperatorTopic(topic), null));
  test('are no topics of devices', () => {
    assert.equal(parseTopic(operatorTopic('ada', 'commands', ID)), null);
    assert.equal(parseTopic(rolloutTopic(STATE.id)), null);
  });
});

describe('what an operator may subscribe to', () => {
  for (const filter of [
    'adbreak/v1/operators/ada/replies/+',
    operatorTopic('ada', 'replies', ID),
    ALL_ROLLOUTS,
    rolloutTopic(STATE.id),
  ])
    test(`is ${filter}`, () => assert.ok(isOperatorFilter('ada', filter)));
  for (const filter of [
    '#',
    'adbreak/#',
    'adbreak/v1/rollouts/#',
    'adbreak/v1/+/+',
    'adbreak/v1/operators/+/replies/+',
    'adbreak/v1/operators/ada/#',
    'adbreak/v1/operators/ada/+/+',
    'adbreak/v1/operators/bob/replies/+',
    operatorTopic('bob', 'replies', ID),
    operatorTopic('ada', 'commands', ID),
    'adbreak/v1/operators/ada/commands/+',
    'adbreak/v1/devices/pi-1/windows',
    '$SYS/#',
  ])
    test(`is not ${filter}`, () => assert.ok(!isOperatorFilter('ada', filter)));
  test('is nothing for a name that is none', () => assert.ok(!isOperatorFilter('+', ALL_ROLLOUTS)));
});

describe('client ids of operators', () => {
  test('hold the name, alone or with the program', () => {
    assert.equal(operatorOfClient('operator:ada'), 'ada');
    assert.equal(operatorOfClient('operator:ada:night-watch'), 'ada');
  });
  for (const id of [
    'ada',
    'operator:',
    'operator:ADA',
    'operator:ada:',
    'operator:ada:a:b',
    'operator:constructor',
  ])
    test(`${id} is none`, () => assert.equal(operatorOfClient(id), null));
});

describe('commands of operators', () => {
  const commands = {
    promote: { model: 'base-ad-detector', version: '2.0.0' },
    pause: { rollout: STATE.id },
    resume: { rollout: STATE.id },
    approve: { rollout: STATE.id },
    abort: { rollout: STATE.id, reason: 'the wrong file' },
    rollback: { rollout: STATE.id, reason: 'people complain' },
    'set-device': { device: 'pi-3', model: 'sports-ad-detector', tags: { floor: '2', old: null } },
    status: { model: 'base-ad-detector' },
  } as const satisfies Record<keyof typeof LEAST_ROLE, object>;
  for (const [command, fields] of Object.entries(commands))
    test(`${command} is taken as it is, and without a deadline or with one field more is not`, () => {
      const whole = { command, deadline: DEADLINE, ...fields };
      assert.ok(operatorCommand.safeParse(whole).success);
      assert.ok(!operatorCommand.safeParse({ command, ...fields }).success);
      assert.ok(!operatorCommand.safeParse({ ...whole, force: true }).success);
    });
  test('promote goes to all devices by the usual plan where nothing is said', () =>
    assert.deepEqual(operatorCommand.parse({ command: 'promote', deadline: DEADLINE, ...commands.promote }), {
      command: 'promote',
      deadline: DEADLINE,
      ...commands.promote,
      percent: 100,
      plan: null,
      supersede: false,
    }));
  for (const [what, command] of [
    ['what goes round the gate', { command: 'force', rollout: STATE.id, reason: 'now' }],
    ['a plan in full', { command: 'promote', ...commands.promote, plan: { name: 'mine', margin: 0.4 } }],
    ['a share of nothing', { command: 'promote', ...commands.promote, percent: 0 }],
    ['more than all', { command: 'promote', ...commands.promote, percent: 101 }],
    ['a rollback without a reason', { command: 'rollback', rollout: STATE.id }],
    ['a reason of blanks', { command: 'abort', rollout: STATE.id, reason: '  ' }],
    ['a reason without end', { command: 'abort', rollout: STATE.id, reason: 'x'.repeat(501) }],
    ['nothing to set', { command: 'set-device', device: 'pi-3' }],
    ['a device that is none', { command: 'set-device', device: '../pi', model: 'base-ad-detector' }],
    [
      'tags without end',
      {
        command: 'set-device',
        device: 'pi-3',
        tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, 'x'])),
      },
    ],
    [
      'a deadline without a zone',
      { command: 'status', model: 'base-ad-detector', deadline: '2026-01-01T12:00:00' },
    ],
    ['a command of another name', { command: 'toString', model: 'base-ad-detector' }],
  ] as const)
    test(`with ${what} fit no schema`, () =>
      assert.ok(!operatorCommand.safeParse({ deadline: DEADLINE, ...command }).success));
});

test('a command is meant for a day at most', () => {
  const asked = { now: new Date('2026-01-01T00:00:00.000Z'), what: 'pause it', mostMs: OPERATOR_DEADLINE_MS };
  assert.equal(deadlineRefusal({ deadline: '2026-01-02T00:00:00.000Z' }, asked), null);
  assert.match(
    deadlineRefusal({ deadline: '2026-01-02T00:00:01.000Z' }, asked)?.message ?? '',
    /must be within 24 hours/,
  );
});

test('a viewer looks and changes nothing; operators and administrators do the rest', () => {
  for (const command of Object.keys(LEAST_ROLE) as (keyof typeof LEAST_ROLE)[]) {
    assert.equal(roleSuffices('viewer', command), command === 'status', command);
    assert.ok(roleSuffices('operator', command) && roleSuffices('admin', command), command);
  }
});

test('the largest answer fits a message, and a reader leaves out what it does not know', () => {
  const last = { at: STATE.at, verdict: 'ORDER', cause: 'person', reason: 'x'.repeat(2000), action: 'none' };
  const largest: OperatorReply = {
    outcome: 'done',
    at: STATE.at,
    model: STATE.model,
    production: STATE.from,
    rollouts: Array.from({ length: 10 }, () => ({ ...STATE, id: 'r'.repeat(100), last })),
    device: {
      id: 'd'.repeat(63),
      model: STATE.model,
      tags: Object.fromEntries(
        Array.from({ length: 50 }, (_, i) => [`${i}`.padStart(60, 't'), 'x'.repeat(60)]),
      ),
    },
  };
  assert.ok(JSON.stringify(largest).length < MESSAGE_LIMIT);
  assert.deepEqual(operatorReply.parse({ ...largest, later: 1 }), largest);
});
