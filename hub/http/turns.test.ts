import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TooSoon } from '../identity/guesses.js';
import { Turns } from './turns.js';

const LIMITS = { waiting: 2, ms: 60_000, again: 7, doing: 'do it' };

test('one at a time of each name, in the order in which they came; another name waits for nobody', async () => {
  const turns = new Turns(LIMITS);
  const order: string[] = [];
  const end = await turns.take('a');
  const second = turns.take('a').then((over) => {
    order.push('second');
    over();
  });
  const third = turns.take('a').then((over) => {
    order.push('third');
    over();
  });
  (await turns.take('b'))();
  await assert.rejects(turns.take('a'), (error) => error instanceof TooSoon && error.wait === 7);
  assert.deepEqual(order, []);
  end();
  end();
  await Promise.all([second, third]);
  assert.deepEqual(order, ['second', 'third'], 'an end that is said twice ends one turn');
  (await turns.take('a'))();
});

test('who has waited long enough is told to come again, and keeps nobody behind it from its turn', async () => {
  const turns = new Turns({ ...LIMITS, ms: 30 });
  const end = await turns.take('a');
  await assert.rejects(turns.take('a'), { code: 'too_many_requests', message: /another one is under way/ });
  const next = turns.take('a');
  end();
  (await next)();
});
