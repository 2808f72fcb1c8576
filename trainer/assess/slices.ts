import type { ScoredSample } from '../ports.js';
import { bootstrap, type Intervals } from './bootstrap.js';
import { groupBy } from './grouping.js';
import { type FrameMetrics, metricsOf } from './metrics.js';

/** One source (a channel, a folder) of a split, by itself. */
export interface Slice {
  readonly source: string;
  readonly groups: number;
  readonly ads: number;
  readonly metrics: FrameMetrics;
  readonly intervals: Intervals;
}

/** The split by source, the weakest F1 first: a mean over all hides who is served badly. */
export function slicesOf(
  scored: readonly ScoredSample[],
  { seed, threshold = 0.5 }: { readonly seed: number | string; readonly threshold?: number },
): Slice[] {
  return [...groupBy(scored, ({ source }) => source)]
    .map(([source, samples]) => ({
      source,
      groups: new Set(samples.map(({ group }) => group)).size,
      ads: samples.filter(({ isAd }) => isAd).length,
      metrics: metricsOf(samples, threshold),
      intervals: bootstrap(samples, { seed: `${seed}/${source}`, threshold }),
    }))
    .sort((a, b) => a.metrics.f1 - b.metrics.f1 || a.source.localeCompare(b.source));
}
