import { confidenceBasedAccuracy, shiftedPrior } from '@adbreak/shared/evidence/calibration.js';
import type { ArmLabels } from '../evidence.js';
import { percent } from '../words.js';

/** What kind of change it was, when production loses labelled accuracy (docs/statistics.md, "What kind of loss"). */
export interface CauseOfLoss {
  readonly kind: 'none' | 'covariate drift' | 'concept drift' | 'label shift';
  readonly reason: string;
}

const LEAST_LABELS = 100;
/** Loss of accuracy, of estimated accuracy, and change of recall that count. */
const LOSS = 0.03;
const FALL = 0.02;
const STABLE = 0.05;

/** Production before and now; null with too few labels on either side. Pure. */
export function causeOfLoss(before: ArmLabels, now: ArmLabels): CauseOfLoss | null {
  const [a, b] = [factsOf(before), factsOf(now)];
  if (a === null || b === null) return null;
  const prior = shiftedPrior(before.confusion, votesOf(now.histogram));
  const moved = prior !== null && Math.abs(prior.prior - a.ads) > STABLE;
  const recallsStable =
    Math.abs(a.recallContent - b.recallContent) < STABLE && Math.abs(a.recallAd - b.recallAd) < STABLE;
  const numbers = `labelled accuracy ${percent(a.accuracy)} before, ${percent(b.accuracy)} now; estimated from confidences ${percent(a.estimated)} and ${percent(b.estimated)}`;
  if (moved && recallsStable)
    return {
      kind: 'label shift',
      reason: `label shift: ads are ${percent(prior.prior)} of what is on, ${percent(a.ads)} before; each class is told as well as before; ${numbers}`,
    };
  if (a.accuracy - b.accuracy < LOSS)
    return { kind: 'none', reason: `no loss of labelled accuracy: ${numbers}` };
  if (a.estimated - b.estimated >= FALL)
    return {
      kind: 'covariate drift',
      reason: `covariate drift: what is shown looks different, and the model is less sure of it; ${numbers}`,
    };
  return {
    kind: 'concept drift',
    reason: `concept drift: the model is as sure as before and more often wrong; ${numbers}`,
  };
}

function factsOf({ confusion: [[a, b], [c, d]], histogram }: ArmLabels) {
  const n = a + b + c + d;
  if (n < LEAST_LABELS || a + b === 0 || c + d === 0) return null;
  return {
    accuracy: (a + d) / n,
    recallContent: a / (a + b),
    recallAd: d / (c + d),
    ads: (c + d) / n,
    estimated: confidenceBasedAccuracy(histogram),
  };
}

function votesOf(histogram: readonly number[]): [number, number] {
  const half = histogram.length / 2;
  return [
    histogram.slice(0, half).reduce((x, y) => x + y, 0),
    histogram.slice(half).reduce((x, y) => x + y, 0),
  ];
}
