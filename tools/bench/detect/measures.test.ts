import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actedOn, added, breaksOf, measure, quantile } from './measures.js';

test('advertisements that touch are one break', () =>
  assert.deepEqual(
    breaksOf([
      { start: 0, end: 10, label: 'content' },
      { start: 10, end: 20, label: 'ad' },
      { start: 20, end: 30, label: 'ad' },
      { start: 30, end: 35, label: 'content' },
      { start: 35, end: 40, label: 'ad' },
    ]),
    [
      { start: 10, end: 30 },
      { start: 35, end: 40 },
    ],
  ));

test('a late onset, a missed break and a false mute each count where they belong', () => {
  const measures = measure(
    [
      { start: 10, end: 30 },
      { start: 60, end: 70 },
    ],
    [
      { start: 12, end: 20 },
      { start: 22, end: 33 },
      { start: 40, end: 45 },
    ],
    100,
  );
  assert.deepEqual(measures, {
    seconds: 100,
    right: 100 - 8 - 14,
    breaks: 2,
    missed: 1,
    falseMutes: 1,
    muted: 8,
    onsets: [2],
    ends: [3],
  });
  assert.equal(added([measures, measures]).muted, 16);
});

test('a device acts from when it is sure until it is sure of the other', () => {
  const frames = [0.1, 0.6, 0.9, 0.5, 0.3, 0.1, 0.9].map((posterior, time) => ({ time, posterior }));
  assert.deepEqual(actedOn(frames, { enter: 0.8, leave: 0.2, end: 7 }), [
    { start: 2, end: 5 },
    { start: 6, end: 7 },
  ]);
});

test('a quantile is one of the values', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([3, 1, 2], 0.9), 3);
});
