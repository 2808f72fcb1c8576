import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { AdbreakError } from '../errors.js';
import { check } from './parse.js';

const schema = z.strictObject({
  name: z.string().min(2).max(5),
  fps: z.int().gt(0).max(30),
  kind: z.enum(['file', 'live']),
  tags: z.record(z.string().regex(/^[a-z]+$/, 'must be lower-case letters'), z.string()).optional(),
  list: z.array(z.number()).max(2).optional(),
  at: z.iso.datetime().optional(),
  hub: z.url({ protocol: /^https$/ }).optional(),
  order: z
    .discriminatedUnion('what', [
      z.strictObject({ what: z.literal('go') }),
      z.strictObject({ what: z.literal('stop'), seconds: z.int() }),
    ])
    .optional(),
  width: z.union([z.literal('all'), z.strictObject({ percent: z.number().max(100) })]).optional(),
});
const GOOD = { name: 'pi-1', fps: 2, kind: 'live' };

function wordsFor(change: object): string {
  try {
    check(schema, { ...GOOD, ...change }, 'it');
  } catch (error) {
    if (error instanceof AdbreakError) return error.message.replace('Cannot accept it: ', '');
    throw error;
  }
  return 'nothing';
}

test('what is wrong with a value is said in words, with its field, whatever is wrong', () => {
  for (const [change, words] of [
    [{}, 'nothing'],
    [{ name: undefined }, 'name: is missing'],
    [{ name: 7 }, 'name: must be a text: it is a number'],
    [{ name: null }, 'name: must be a text: it is null'],
    [{ name: 'x' }, 'name: must have at least 2 characters'],
    [{ name: 'far too long' }, 'name: must have at most 5 characters'],
    [{ fps: 2.5 }, 'fps: must be a whole number: it is a number with a fraction'],
    [{ fps: 0 }, 'fps: must be above 0'],
    [{ fps: 200 }, 'fps: must be at most 30'],
    [{ kind: 'dead' }, 'kind: must be one of "file", "live"'],
    [{ colour: 1 }, 'has "colour", which nothing here is called'],
    [{ tags: { A: 'x' } }, 'tags.A: has a name that is none: it must be lower-case letters'],
    [{ list: [1, 2, 3] }, 'list: must have at most 2 entries'],
    [{ list: {} }, 'list: must be a list: it is an object with fields'],
    [{ at: 'yesterday' }, 'at: must be a time in UTC such as 2026-01-31T12:00:00Z'],
    [{ hub: 'hub.example' }, 'hub: must be a whole address such as https://hub.example:8443'],
    [{ order: { what: 'wait' } }, 'order.what: must be one of "go", "stop"'],
    [{ order: { what: 'stop' } }, 'order.seconds: is missing'],
    [{ width: { percent: 101 } }, 'width.percent: must be at most 100'],
  ] as const)
    assert.equal(wordsFor(change), words, JSON.stringify(change));
});

test('no sentence is a programmer’s: none says expected, received, or invalid input', () => {
  const odd = [undefined, null, 0, -1, 1e300, '', 'x'.repeat(99), [], {}, { a: 1 }, true, Number.NaN];
  for (const field of Object.keys(schema.shape))
    for (const value of odd)
      assert.doesNotMatch(wordsFor({ [field]: value }), /expected|received|invalid|undefined/i, field);
});
