import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pauseAfter } from './backoff.js';
import { seeded } from './random.js';

const HALF = { firstMs: 1000, longestMs: 60_000, jitter: 0.5 };

test('pauses double up to the longest, however many failures there were', () => {
  const certain = { ...HALF, jitter: 0 };
  assert.deepEqual(
    [1, 2, 3, 6, 7, 40, 1e9].map((failures) => pauseAfter(certain, failures, 0.7)),
    [1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000],
  );
});

test('the share that is drawn keeps a fleet out of step, inside its bounds', (t) => {
  const SEED = 3;
  t.diagnostic(`seed ${SEED}`);
  const { uniform } = seeded(SEED);
  for (const jitter of [0.5, 1]) {
    const pauses = Array.from({ length: 1000 }, () => pauseAfter({ ...HALF, jitter }, 4, uniform()));
    assert.ok(pauses.every((pause) => pause >= 8000 * (1 - jitter) && pause < 8000));
    assert.ok(new Set(pauses.map((pause) => Math.floor(pause / 100))).size > 35 * jitter);
  }
});
