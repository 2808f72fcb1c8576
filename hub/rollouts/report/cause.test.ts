import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArmLabels, noLabels } from '../evidence.js';
import { causeOfLoss } from './cause.js';

test('what kind of change it was: of what is shown, of what it means, or of how often', () => {
  const labels = (
    confusion: ArmLabels['confusion'],
    low: number,
    middle: number,
    high: number,
  ): ArmLabels => {
    const histogram = Array<number>(64).fill(0);
    histogram[3] = low;
    histogram[32] = middle;
    histogram[60] = high;
    return { ...noLabels(), confusion, histogram };
  };
  const before = labels(
    [
      [760, 40],
      [20, 180],
    ],
    780,
    0,
    220,
  );
  assert.equal(causeOfLoss(before, before)?.kind, 'none');
  assert.equal(
    causeOfLoss(
      before,
      labels(
        [
          [640, 160],
          [50, 150],
        ],
        500,
        400,
        100,
      ),
    )?.kind,
    'covariate drift',
  );
  assert.equal(
    causeOfLoss(
      before,
      labels(
        [
          [640, 160],
          [60, 140],
        ],
        780,
        0,
        220,
      ),
    )?.kind,
    'concept drift',
  );
  const shift = causeOfLoss(
    before,
    labels(
      [
        [475, 25],
        [50, 450],
      ],
      525,
      0,
      475,
    ),
  );
  assert.equal(shift?.kind, 'label shift');
  assert.match(shift?.reason ?? '', /ads are 5\d\.\d % of what is on, 20\.0 % before/);
  assert.equal(causeOfLoss(before, noLabels()), null, 'too few labels to say');
});
