import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './until.js';

test('gives what shows, from looks that answer at once and from looks that take a while', async () => {
  let looks = 0;
  assert.equal(await until('the third look', () => ++looks === 3 && 'seen'), 'seen');
  assert.deepEqual(await until('an answer', async () => (++looks > 5 ? { looks } : null)), { looks: 6 });
});

test('what does not show in time is said; an error of a look is not waited out', async () => {
  await assert.rejects(
    until('rain', () => false, 0.03),
    /^Error: not within 0.03 s: rain$/,
  );
  const broken = new Error('no window');
  await assert.rejects(
    until('rain', () => {
      throw broken;
    }),
    broken,
  );
});
