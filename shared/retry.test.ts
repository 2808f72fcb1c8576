import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError, hasCode } from './errors.js';
import { seeded } from './random.js';
import { pause, type RetryOptions, retry } from './retry.js';
import { leftOn } from './testing/listeners.js';

const BACKOFF = { firstMs: 1000, longestMs: 4000, jitter: 0.5 };

/** Work that fails with these errors first, and the pauses that were made: no time goes by. */
function failing(errors: readonly unknown[], more: Partial<RetryOptions> = {}) {
  const left = [...errors];
  const pauses: number[] = [];
  const stop = new AbortController();
  const options: RetryOptions = {
    backoff: BACKOFF,
    signal: stop.signal,
    uniform: () => 0,
    pause: async (ms) => void pauses.push(ms),
    ...more,
  };
  const attempt = async () => {
    if (left.length > 0) throw left.shift();
    return 'done';
  };
  return { attempt, options, pauses, stop };
}

test('tries until it works, and tells of each failure and the pause after it', async (t) => {
  const SEED = 5;
  t.diagnostic(`seed ${SEED}`);
  const said: unknown[] = [];
  const errors = ['one', 'two', 'three', 'four'];
  const { attempt, options, pauses } = failing(errors, {
    uniform: seeded(SEED).uniform,
    onFailure: (error, ms) => void said.push([error, ms]),
  });
  assert.equal(await retry(attempt, options), 'done');
  assert.deepEqual(
    said,
    errors.map((error, i) => [error, pauses[i]]),
  );
  for (const [i, whole] of [1000, 2000, 4000, 4000].entries())
    assert.ok((pauses[i] ?? 0) >= whole / 2 && (pauses[i] ?? 0) < whole, `${pauses}`);
});

test('what another try cannot mend is thrown at once, and told to nobody else', async () => {
  const forged = new AdbreakError('manifest_forged', 'no');
  const said: unknown[] = [];
  const { attempt, options, pauses } = failing(['passing', forged, 'never'], {
    retryable: (error) => !hasCode(error, 'manifest_forged'),
    onFailure: (error) => void said.push(error),
  });
  await assert.rejects(retry(attempt, options), forged);
  assert.deepEqual([said, pauses.length], [['passing'], 1]);
});

test('the other side is left alone as long as it asks, where that is longer', async () => {
  const { attempt, options, pauses } = failing([90_000, 10], { atLeast: Number });
  await retry(attempt, options);
  assert.deepEqual(pauses, [90_000, 1000]);
});

test('a stop ends a pause at once, keeps another try from beginning, and leaves no listener behind', {
  timeout: 10_000,
}, async () => {
  const { attempt, options, stop } = failing([1, 2, 3], {
    pause,
    backoff: { firstMs: 3_600_000, longestMs: 3_600_000, jitter: 0 },
  });
  const retrying = retry(attempt, {
    ...options,
    onFailure: () => void setTimeout(() => stop.abort(new Error('stopped')), 10),
  });
  await assert.rejects(retrying, /^Error: stopped$/);
  await assert.rejects(retry(attempt, options), /^Error: stopped$/);
  assert.equal(await attempt().catch((error: unknown) => error), 2, 'one try was made in all');
  const { signal } = new AbortController();
  for (let i = 0; i < 20; i++) await pause(0, signal);
  assert.equal(leftOn(signal), 0);
});

test('an attempt that fails because it was stopped ends with the reason of the stop', async () => {
  const { options, stop } = failing([]);
  const attempt = async () => {
    stop.abort(new Error('stopped'));
    throw new Error('the socket was closed');
  };
  await assert.rejects(retry(attempt, options), /^Error: stopped$/);
});
