import type { DeciderSettings } from '@adbreak/shared/decide/decider.js';
import type { ScoredSample } from '../ports.js';
import { type Interval, pairedBootstrap } from './bootstrap.js';
import { checkSamePictures } from './ensemble.js';
import { METRICS, type Metric, metricsOf } from './metrics.js';
import { timelinesOf } from './timeline.js';
import { type Viewing, viewingOf } from './viewing.js';

/** A model as it is compared: its scores of the pictures, and how it decides. */
export interface Contender {
  readonly scored: readonly ScoredSample[];
  readonly decision: DeciderSettings;
}
export interface MetricDifference {
  readonly metric: Metric;
  readonly a: number;
  readonly b: number;
  /** Of B - A, over groups; null where there are too few. */
  readonly interval: Interval | null;
  readonly better: 'a' | 'b' | null;
}
export interface Comparison {
  readonly frames: number;
  readonly groups: number;
  readonly metrics: readonly MetricDifference[];
  readonly viewing: readonly [Viewing | null, Viewing | null];
}

/** Of these less is better. */
const COSTS: ReadonlySet<Metric> = new Set(['ece', 'brier']);

/**
 * Two models on the same pictures, in the same order. One is called better in a metric only where the paired
 * interval of the difference leaves 0 out; eight metrics are looked at, so one of them does so by chance in
 * some comparisons of equals.
 */
export function compareModels(a: Contender, b: Contender, seed: number | string): Comparison {
  checkSamePictures(a.scored, b.scored);
  const [before, after] = [metricsOf(a.scored), metricsOf(b.scored)];
  const intervals = pairedBootstrap(a.scored, b.scored, { seed });
  return {
    frames: a.scored.length,
    groups: new Set(a.scored.map(({ group }) => group)).size,
    metrics: METRICS.map((metric) => ({
      metric,
      a: before[metric],
      b: after[metric],
      interval: intervals[metric],
      better: betterOf(metric, intervals[metric]),
    })),
    viewing: [viewingOf(timelinesOf(a.scored), a.decision), viewingOf(timelinesOf(b.scored), b.decision)],
  };
}

function betterOf(metric: Metric, interval: Interval | null): 'a' | 'b' | null {
  if (interval === null || (interval.low <= 0 && interval.high >= 0)) return null;
  return interval.low > 0 === COSTS.has(metric) ? 'a' : 'b';
}
