import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anySignal } from './any-signal.js';
import { pause } from './retry.js';
import { leftOn } from './testing/listeners.js';

test('aborts with the first of its signals, for its reason, and lets go of the others at once', () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const { signal } = anySignal([undefined, first.signal, second.signal]);
  assert.equal(leftOn(first.signal), 1);
  const reason = new Error('stopped');
  second.abort(reason);
  assert.deepEqual([signal.aborted, signal.reason], [true, reason]);
  assert.equal(leftOn(first.signal), 0);
});

test('one that is aborted already aborts it from the beginning, and nothing is left on those before it', () => {
  const { signal: long } = new AbortController();
  const { signal } = anySignal([long, AbortSignal.abort('over')], 10);
  assert.deepEqual([signal.aborted, signal.reason, leftOn(long)], [true, 'over', 0]);
});

test('after its time it aborts with a TimeoutError, and not once it was let go of', async () => {
  const late = anySignal([], 5);
  const released = anySignal([], 5);
  released[Symbol.dispose]();
  await pause(50);
  assert.equal(late.signal.reason instanceof DOMException && late.signal.reason.name, 'TimeoutError');
  assert.equal(released.signal.aborted, false);
});

test('a signal that lives for years keeps nothing of what followed it', () => {
  const { signal: long } = new AbortController();
  for (let i = 0; i < 100; i++) anySignal([long], 60_000)[Symbol.dispose]();
  assert.equal(leftOn(long), 0);
});
