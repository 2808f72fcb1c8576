import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from './retry.js';
import { SerialRunner } from './serial-runner.js';

const FOREVER_MS = 3_600_000;
const aborted = { name: 'AbortError' };

test('one at a time, in the order of asking; a failure is its own', async () => {
  const runner = new SerialRunner();
  const seen: string[] = [];
  const work = (name: string, ms: number) => async () => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.push(`${name} ends`);
    if (name === 'b') throw new Error('b is broken');
    return name;
  };
  const results = await Promise.allSettled([
    runner.run(work('a', 20)),
    runner.run(work('b', 1)),
    runner.run(work('c', 1)),
  ]);
  assert.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  assert.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    ['a', 'Error: b is broken', 'c'],
  );
});

test('a newer run tells the one before to give way, waits for its end, and those between never begin', {
  timeout: 10_000,
}, async () => {
  const runner = new SerialRunner();
  const seen: string[] = [];
  const first = runner.run(async (signal) => {
    await pause(FOREVER_MS, signal);
    // What is half done is brought to its end.
    await new Promise((resolve) => setTimeout(resolve, 20));
    seen.push('first ends');
  });
  const between = runner.run(() => void seen.push('between'));
  await Promise.resolve();
  const newer = runner.preempt(
    (signal) => void seen.push(`newer, ${signal.aborted ? 'called off' : 'wanted'}`),
  );
  await assert.rejects(between, aborted);
  await Promise.all([first, newer]);
  assert.deepEqual(seen, ['first ends', 'newer, wanted']);
});

test('what is cancelled gives way, and the runner goes on', { timeout: 10_000 }, async () => {
  const runner = new SerialRunner();
  const running = runner.run((signal) => pause(FOREVER_MS, signal));
  await Promise.resolve();
  runner.cancel();
  await running;
  assert.equal(await runner.run(() => 'next'), 'next');
});

test('who is disposed of waits for what runs, and begins nothing any more', { timeout: 10_000 }, async () => {
  const runner = new SerialRunner();
  let ended = false;
  const running = runner.run(async (signal) => {
    await pause(FOREVER_MS, signal);
    ended = true;
  });
  await Promise.resolve();
  await runner[Symbol.asyncDispose]();
  assert.ok(ended);
  await running;
  await assert.rejects(
    runner.run(() => 'late'),
    aborted,
  );
  await assert.rejects(
    runner.preempt(() => 'late'),
    aborted,
  );
});
