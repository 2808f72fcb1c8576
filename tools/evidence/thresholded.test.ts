import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { thresholdedAccuracy, thresholdOfConfidence } from './thresholded.js';

test('a threshold chosen for an accuracy gives it back on the same episodes', () => {
  const scores = Array.from({ length: 100 }, (_, i) => 0.5 + i / 200);
  const accuracy = thresholdedAccuracy(scores, thresholdOfConfidence(scores, 0.8));
  assert.ok(Math.abs(accuracy - 0.8) <= 1e-12, `${accuracy}`);
  assert.throws(() => thresholdOfConfidence([], 0.8), AdbreakError);
  assert.throws(() => thresholdedAccuracy([], 0.5), AdbreakError);
});
