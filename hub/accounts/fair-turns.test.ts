import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TooSoon } from '../identity/guesses.js';
import { FairTurns } from './fair-turns.js';

test('each name has a turn before any has a second, one at a time, whoever came with many', async () => {
  const turns = new FairTurns({ each: 10, all: 100 });
  const order: string[] = [];
  let running = 0;
  const work = (name: string) => async () => {
    running += 1;
    assert.equal(running, 1);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    order.push(name);
  };
  const flood = Array.from({ length: 6 }, () => turns.run('flood', work('flood')));
  const others = ['anna', 'ben'].map((name) => turns.run(name, work(name)));
  await Promise.all([...flood, ...others]);
  assert.deepEqual(order, ['flood', 'flood', 'anna', 'ben', 'flood', 'flood', 'flood', 'flood']);
});

test('who has too many waiting is told to come again, and nobody else; a failure is told to whose it is', async () => {
  const turns = new FairTurns({ each: 2, all: 4 });
  let open = () => {};
  const door = new Promise<void>((resolve) => {
    open = resolve;
  });
  const first = turns.run('a', () => door);
  const waiting = ['a', 'a', 'b'].map((name) => turns.run(name, async () => name));
  assert.throws(() => turns.run('a', async () => 'a'), TooSoon);
  const failing = turns.run('c', async () => {
    throw new Error('its own');
  });
  assert.throws(() => turns.run('d', async () => 'd'), TooSoon, 'all together have a bound, too');
  open();
  await first;
  assert.deepEqual(await Promise.all(waiting), ['a', 'a', 'b']);
  await assert.rejects(failing, /its own/);
  assert.equal(await turns.run('a', async () => 'again'), 'again');
});
