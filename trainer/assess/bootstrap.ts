import { seeded } from '@adbreak/shared/random.js';
import { METRICS, type Metric, valuesOf } from './metrics.js';
import { type Grouped, type Ranked, rank, tally } from './ranked.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}
export type Intervals = Readonly<Record<Metric, Interval | null>>;
export interface BootstrapOptions {
  readonly seed: number | string;
  readonly threshold?: number;
  readonly resamples?: number;
  readonly level?: number;
}

export const RESAMPLES = 1000;
export const LEVEL = 0.95;
/**
 * Of fewer groups the spread between them is hardly known: intervals are then too narrow, and that is said.
 */
export const FEW_GROUPS = 8;

/**
 * Percentile intervals by the cluster bootstrap: whole groups are drawn with replacement, since pictures of
 * one recording are not independent. Null for every metric where there are fewer than two groups, and for a
 * metric that a draw in twenty has no value of (no advertisement in it). Seeded: the same scores give the
 * same intervals.
 */
export function bootstrap(scored: readonly Grouped[], options: BootstrapOptions): Intervals {
  const { level = LEVEL, resamples = RESAMPLES } = options;
  const draws: Record<Metric, number[]> = namedBy(() => []);
  const ranked = rank(scored);
  if (ranked.groups.length >= 2)
    for (const weights of drawsOf(ranked, options)) {
      const values = valuesOf(tally(ranked, options.threshold ?? 0.5, weights));
      for (const name of METRICS) if (!Number.isNaN(values[name])) draws[name].push(values[name]);
    }
  return namedBy((name) =>
    draws[name].length < 0.95 * resamples ? null : percentileInterval(draws[name], level),
  );
}

/**
 * Intervals of the difference B - A of two models on the same pictures: both are counted on the same draws,
 * so that what a group is hard for both does not widen them. The two lists have one order.
 */
export function pairedBootstrap(
  a: readonly Grouped[],
  b: readonly Grouped[],
  options: BootstrapOptions & { readonly thresholds?: readonly [number, number] },
): Intervals {
  const { level = LEVEL, resamples = RESAMPLES, thresholds = [0.5, 0.5] } = options;
  const [first, second] = [rank(a), rank(b)];
  // The groups of the two come in another order: weights are drawn for the first and carried over by name.
  const places = new Map(first.groups.map((name, place) => [name, place]));
  const draws: Record<Metric, number[]> = namedBy(() => []);
  if (first.groups.length >= 2)
    for (const weights of drawsOf(first, options)) {
      const carried = Int32Array.from(second.groups, (name) => weights[places.get(name) ?? -1] ?? 0);
      const before = valuesOf(tally(first, thresholds[0], weights));
      const after = valuesOf(tally(second, thresholds[1], carried));
      for (const name of METRICS) {
        const difference = after[name] - before[name];
        if (!Number.isNaN(difference)) draws[name].push(difference);
      }
    }
  return namedBy((name) =>
    draws[name].length < 0.95 * resamples ? null : percentileInterval(draws[name], level),
  );
}

/** How often each group counts, draw after draw. */
function* drawsOf(
  { groups }: Ranked,
  { seed, resamples = RESAMPLES }: BootstrapOptions,
): Generator<Int32Array> {
  const random = seeded(`bootstrap/${seed}`);
  for (let draw = 0; draw < resamples; draw++) {
    const weights = new Int32Array(groups.length);
    for (let i = 0; i < groups.length; i++) {
      const place = random.integer(groups.length);
      weights[place] = (weights[place] ?? 0) + 1;
    }
    yield weights;
  }
}

function percentileInterval(values: readonly number[], level: number): Interval {
  const tail = (1 - level) / 2;
  return { low: quantile(values, tail), high: quantile(values, 1 - tail) };
}

/**
 * Between neighbours where the place is none of the values (Hyndman and Fan's type 7). Reference:
 * numpy.quantile. NaN of none.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below === above ? below : below + (above - below) * (place - Math.floor(place));
}

function namedBy<T>(value: (name: Metric) => T): Record<Metric, T> {
  return Object.fromEntries(METRICS.map((name) => [name, value(name)])) as Record<Metric, T>;
}
