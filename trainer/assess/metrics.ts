import type { TestMetrics } from '@adbreak/shared/contract/manifest.js';
import { rank, type Scored, type Tally, tally } from './ranked.js';

/** The metrics that are given with an interval. */
export const METRICS = ['accuracy', 'precision', 'recall', 'f1', 'rocAuc', 'prAuc', 'ece', 'brier'] as const;
export type Metric = (typeof METRICS)[number];

export interface FrameMetrics extends TestMetrics {
  /** Area under the curve of precision over recall, as average precision. */
  readonly prAuc: number;
  /** Mean of (p - truth)². */
  readonly brier: number;
}

/** A split of one class has no area under a curve: these are what nothing learnt would give. */
const WITHOUT_VALUE: Readonly<Record<Metric, number>> = {
  accuracy: 0,
  precision: 0,
  recall: 0,
  f1: 0,
  rocAuc: 0.5,
  prAuc: 0,
  ece: 0,
  brier: 0,
};

/**
 * Metrics of single pictures; a probability at the threshold counts as an advertisement. Reference:
 * scikit-learn.
 */
export function metricsOf(scored: readonly Scored[], threshold = 0.5): FrameMetrics {
  const counts = tally(rank(scored), threshold);
  const { trueNegatives, falsePositives, falseNegatives, truePositives } = counts;
  const values = valuesOf(counts);
  const named = Object.fromEntries(
    METRICS.map((name) => [name, Number.isNaN(values[name]) ? WITHOUT_VALUE[name] : values[name]]),
  ) as Record<Metric, number>;
  return {
    frames: scored.length,
    ...named,
    confusion: [
      [trueNegatives, falsePositives],
      [falseNegatives, truePositives],
    ],
  };
}

/** Each metric of a tally; NaN where it has no value. */
export function valuesOf(counts: Tally): Readonly<Record<Metric, number>> {
  const { truePositives, trueNegatives, falsePositives, falseNegatives, weight } = counts;
  return {
    accuracy: (truePositives + trueNegatives) / weight,
    precision: truePositives / (truePositives + falsePositives),
    recall: truePositives / (truePositives + falseNegatives),
    f1: (2 * truePositives) / (2 * truePositives + falsePositives + falseNegatives),
    rocAuc: counts.rocAuc,
    prAuc: counts.prAuc,
    ece: counts.ece,
    brier: counts.brier,
  };
}

/**
 * How often programme is called an advertisement, and an advertisement programme; null where there is none of
 * it.
 */
export function errorRates({ confusion: [[tn, fp], [fn, tp]] }: TestMetrics): {
  readonly contentCalledAd: number | null;
  readonly adCalledContent: number | null;
} {
  return {
    contentCalledAd: tn + fp === 0 ? null : fp / (tn + fp),
    adCalledContent: fn + tp === 0 ? null : fn / (fn + tp),
  };
}
