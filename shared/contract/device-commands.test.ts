import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { deadlineRefusal, refusedBy } from './commands.js';
import {
  commandFilter,
  commandTopic,
  DEVICE_DEADLINE_MS,
  type DeviceReply,
  deviceCommand,
  deviceReply,
  parseCommandTopic,
  patienceOf,
} from './device-commands.js';
import { parseTopic } from './topics.js';

const ID = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const AT = '2026-01-01T12:00:00.000Z';
const timing = { sent: AT, deadline: '2026-01-01T13:00:00.000Z' };
const done = { outcome: 'done', at: AT } as const;
const fits = (reply: unknown) => deviceReply.safeParse(JSON.parse(JSON.stringify(reply))).success;

describe('topics of commands to a device', () => {
  test('lead to device and command, and back', () => {
    for (const kind of ['commands', 'replies'] as const)
      assert.deepEqual(parseCommandTopic(commandTopic('pi-1', kind, ID)), { device: 'pi-1', kind, id: ID });
  });
  for (const topic of [
    commandFilter('pi-1'),
    'adbreak/v1/devices/pi-1/commands',
    'adbreak/v1/devices/pi-1/commands/short',
    `adbreak/v1/devices/pi-1/commands/${ID}/more`,
    `adbreak/v1/devices/pi-1/valueOf/${ID}`,
    `adbreak/v1/devices/+/commands/${ID}`,
    `adbreak/v1/devices//commands/${ID}`,
    `adbreak/v1/operators/pi-1/commands/${ID}`,
    '',
  ])
    test(`${JSON.stringify(topic)} is none`, () => assert.equal(parseCommandTopic(topic), null));
  test('are none of those that a device has for its state and its reports', () => {
    for (const kind of ['commands', 'replies'] as const)
      assert.equal(parseTopic(commandTopic('pi-1', kind, ID)), null);
  });
});

describe('commands to a device', () => {
  test('have sensible bounds where nothing is said', () => {
    const parsed = ['restart', 'reload', 'collect-logs', 'benchmark', 'identify'].map((command) =>
      deviceCommand.parse({ command, ...timing }),
    );
    assert.deepEqual(parsed.slice(2), [
      { command: 'collect-logs', ...timing, lines: 200 },
      { command: 'benchmark', ...timing, seconds: 10 },
      { command: 'identify', ...timing, seconds: 30 },
    ]);
  });
  test('of a later hub are read without what this device does not know, or not at all', () => {
    assert.deepEqual(deviceCommand.parse({ command: 'reload', ...timing, gently: true }), {
      command: 'reload',
      ...timing,
    });
    assert.ok(!deviceCommand.safeParse({ command: 'self-destruct', ...timing }).success);
  });
  for (const [what, command] of [
    ['no deadline', { command: 'restart', sent: AT }],
    ['no time of sending', { command: 'restart', deadline: AT }],
    ['more lines than a message holds', { command: 'collect-logs', ...timing, lines: 1001 }],
    ['a benchmark of hours', { command: 'benchmark', ...timing, seconds: 3600 }],
    ['a blinking without end', { command: 'identify', ...timing, seconds: 601 }],
  ] as const)
    test(`with ${what} fit no schema`, () => assert.ok(!deviceCommand.safeParse(command).success));
  test('wait for a week at most', () => {
    const asked = { now: new Date(AT), what: 'restart it', mostMs: DEVICE_DEADLINE_MS };
    assert.equal(deadlineRefusal({ deadline: '2026-01-08T12:00:00.000Z' }, asked), null);
    assert.equal(deadlineRefusal({ deadline: '2026-01-08T12:00:01.000Z' }, asked)?.code, 'input_invalid');
  });
  test('may be begun for as long as the hub says, whatever the clock of the device says', () => {
    assert.equal(patienceOf(timing), 3_600_000);
    assert.equal(patienceOf({ sent: timing.deadline, deadline: AT }), 0);
  });
});

describe('answers of a device', () => {
  const replies: DeviceReply[] = [
    { ...done, command: 'restart', agent: '0.1.0' },
    { ...done, command: 'collect-logs', lines: ['one', 'two'], cut: false },
    {
      ...done,
      command: 'benchmark',
      model: { version: '1.0.0', digest: 'a'.repeat(64) },
      runtime: 'litert',
      inferences: 200,
      latency: [[21, 200]],
      memoryMb: 180,
    },
    { ...done, command: 'identify', by: ['page'] },
    refusedBy(new AdbreakError('command_interrupted', 'Cannot benchmark: the agent stopped'), new Date(AT)),
  ];
  for (const reply of replies)
    test(`${JSON.stringify(reply).slice(0, 60)}… is taken, and with a field more is not`, () => {
      assert.ok(fits(reply));
      assert.ok(!fits({ ...reply, picture: 'AAAA' }));
    });
  for (const [what, reply] of [
    ['lines without end', { ...done, command: 'collect-logs', lines: ['x'.repeat(2001)], cut: false }],
    ['too many lines', { ...done, command: 'collect-logs', lines: Array(1001).fill(''), cut: false }],
    ['an outcome of its own', { command: 'restart', outcome: 'perhaps', at: AT, agent: '0.1.0' }],
    ['a code that is none', { outcome: 'refused', at: AT, error: { code: 'NO', message: '', remedy: '' } }],
  ] as const)
    test(`with ${what} fit no schema`, () => assert.ok(!fits(reply)));
});
