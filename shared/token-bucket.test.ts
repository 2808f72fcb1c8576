import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBuckets } from './token-bucket.js';

test('a bucket gives its burst at once, then as much as comes back, and says how long the next one takes', () => {
  const buckets = new TokenBuckets({ burst: 3, perSecond: 2 }, 10);
  const takes = (amount: number, now: number) => buckets.take('a', amount, now);
  assert.deepEqual([takes(1, 0), takes(2, 0), takes(1, 0)], [0, 0, 500]);
  assert.equal(takes(1, 499), 1, 'what was refused took nothing');
  assert.equal(takes(1, 500), 0);
  assert.equal(takes(3, 60_000), 0, 'full again, and no fuller');
  assert.equal(takes(3, 60_000), 1500);
  assert.equal(buckets.take('b', 3, 60_000), 0, 'another name has a bucket of its own');
});

test('time that goes back gives nothing and takes nothing', () => {
  const buckets = new TokenBuckets({ burst: 2, perSecond: 1 }, 10);
  assert.equal(buckets.take('a', 2, 10_000), 0);
  assert.equal(buckets.take('a', 1, 5000), 1000);
  assert.equal(buckets.take('a', 1, 6000), 0);
});

test('so many names are remembered, and the one that was silent longest is forgotten', () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001 }, 2);
  for (const name of ['a', 'b', 'a', 'c']) buckets.take(name, 1, 0);
  assert.equal(buckets.remembered, 2);
  assert.ok(buckets.take('a', 1, 0) > 0, 'a is remembered');
  assert.equal(buckets.take('b', 1, 0), 0, 'b was silent longest');
});
