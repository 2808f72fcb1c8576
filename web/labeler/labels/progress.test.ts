import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spot } from '@adbreak/shared/contract/labelling.js';
import { FIRST_PACE, formatProgress, paceOf, progressOf } from './progress.js';

const spot = (id: string, recording: string, start: number): Spot => ({
  id,
  class: 'spot',
  confidence: 1,
  why: 'two airings',
  airings: [{ recording, start, end: start + 10, confidence: 1 }],
});

test('a spot is done when its airings have labels, all but a little', () => {
  const spots = [spot('S1', 'one', 0), spot('S2', 'one', 100), spot('S3', 'two', 0)];
  const labels = {
    one: {
      spans: [
        { start: 0.5, end: 10 },
        { start: 100, end: 108 },
      ],
    },
  };
  assert.deepEqual(progressOf(spots, labels, 60), { done: 1, total: 3, left: 120 });
});

test('the pace is the middle one of the pauses, without those to fetch coffee', () => {
  assert.equal(paceOf([0, 2]), FIRST_PACE);
  assert.equal(paceOf([0, 2, 5, 400, 404, 405]), 3);
});

test('what is left is said in minutes', () => {
  assert.equal(formatProgress({ done: 34, total: 180, left: 365 }), '34 of 180 spots, about 6 minutes left');
  assert.equal(formatProgress({ done: 1, total: 2, left: 2 }), '1 of 2 spots, about a minute left');
  assert.equal(formatProgress({ done: 1, total: 1, left: 0 }), '1 of 1 spot');
});
