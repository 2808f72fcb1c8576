/** A value that comes `weight` times, a whole number. */
export interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** The median of values with their multiplicities; between the two in the middle where their number is even; 0 of none. */
export function weightedMedian(values: readonly Weighted[]): number {
  const sorted = values.filter(({ weight }) => weight > 0).sort((a, b) => a.value - b.value);
  const half = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let below = 0;
  let lower: number | null = null;
  for (const { value, weight } of sorted) {
    below += weight;
    if (below >= half) lower ??= value;
    if (below > half) return ((lower ?? value) + value) / 2;
  }
  return 0;
}

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const upper = sorted[sorted.length >> 1] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? 0) + upper) / 2;
}
