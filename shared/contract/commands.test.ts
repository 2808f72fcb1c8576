import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { COMMAND_ID, canonicalCommand, deadlineRefusal, refusedBy, refusedReply } from './commands.js';

const NOW = new Date('2026-01-01T12:00:00.000Z');
const asked = { now: NOW, what: 'promote it', mostMs: 3_600_000 };

describe('the deadline of a command', () => {
  test('that lies ahead, within the limit, lets it begin', () => {
    assert.equal(deadlineRefusal({ deadline: '2026-01-01T12:00:01.000Z' }, asked), null);
    assert.equal(deadlineRefusal({ deadline: '2026-01-01T13:00:00.000Z' }, asked), null);
  });
  for (const [what, deadline, code] of [
    ['that is now', '2026-01-01T12:00:00.000Z', 'command_expired'],
    ['that is over', '2025-12-31T12:00:00.000Z', 'command_expired'],
    ['that is further ahead than the limit', '2026-01-01T13:00:00.001Z', 'input_invalid'],
  ] as const)
    test(`${what} refuses it as ${code}, with both clocks in the sentence`, () => {
      const refusal = deadlineRefusal({ deadline }, asked);
      assert.equal(refusal?.code, code);
      assert.match(refusal?.message ?? '', /promote it/);
      for (const time of [deadline, NOW.toISOString()]) assert.ok(refusal?.message.includes(time));
    });
});

describe('the text of a command', () => {
  test('is the same in whatever order its keys came, also inside', () =>
    assert.equal(
      canonicalCommand({ b: { y: 1, x: [2, { d: 1, c: 2 }] }, a: null }),
      canonicalCommand({ a: null, b: { x: [2, { c: 2, d: 1 }], y: 1 } }),
    ));
  for (const other of [{ a: 2 }, { a: '1' }, { a: 1, b: null }, { a: [1] }])
    test(`of ${JSON.stringify(other)} is another one than that of {"a":1}`, () =>
      assert.notEqual(canonicalCommand(other), canonicalCommand({ a: 1 })));
  test('keeps the order of a list', () =>
    assert.notEqual(canonicalCommand({ a: [1, 2] }), canonicalCommand({ a: [2, 1] })));
});

test('a refusal carries code, sentence and remedy, and fits its schema however much there is to say', () => {
  const reply = refusedBy(
    new AdbreakError('conflict', 'x'.repeat(9000), { remedy: 'y'.repeat(9000), cause: new Error('inside') }),
    NOW,
  );
  assert.deepEqual(refusedReply.parse(JSON.parse(JSON.stringify(reply))), reply);
  assert.equal(reply.error.code, 'conflict');
  assert.ok(!JSON.stringify(reply).includes('inside'));
});

test('the name of a command is 8 to 64 lower-case letters, digits and dashes', () => {
  for (const id of ['f81d4fae-7dec-11d0-a765-00a0c91e6bf6', '12345678', 'a'.repeat(64)])
    assert.match(id, COMMAND_ID);
  for (const id of [
    '1234567',
    'a'.repeat(65),
    '-2345678',
    'ABCDEFGH',
    '12345678/9',
    '+',
    '#',
    '12345678\n',
    '',
  ])
    assert.doesNotMatch(id, COMMAND_ID);
});
