import type { Range } from './quantize.js';

/**
 * How a range is chosen from the values seen. minmax: all of them, as Google's converter does. percentile: the central
 * share. mse: the range whose rounding and clipping together lose least (Banner et al. 2019, searched over a histogram).
 */
export type CalibrationMethod =
  | { readonly kind: 'minmax' }
  | { readonly kind: 'percentile'; readonly share: number }
  | { readonly kind: 'mse' };

const BINS = 4096;
const HALF = BINS / 2;
const STEPS = 255;
/** Of each tensor and picture so many values are counted at most, evenly spread; smallest and largest come from all of them. */
const MOST_VALUES = 1 << 16;
/** Ranges tried on either side, from all of it to a tenth. */
const CANDIDATES = Array.from({ length: 46 }, (_, i) => 1 - i * 0.02);

/** Counts over [-reach, reach], the reach a power of two that doubles when values leave it: one pass, no second look. */
export class Histogram {
  #counts = new Float64Array(BINS);
  #reach = 2 ** -20;

  add(values: Float32Array, min: number, max: number): void {
    if (!Number.isFinite(min) || !Number.isFinite(max)) return;
    while (Math.max(-min, max) >= this.#reach) this.#double();
    const factor = HALF / this.#reach;
    const counts = this.#counts;
    const step = coprimeStep(values.length);
    for (let i = 0; i < values.length; i += step) {
      const bin = Math.floor((values[i] ?? 0) * factor) + HALF;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }

  range(method: CalibrationMethod, seen: Range): Range {
    if (method.kind === 'minmax') return seen;
    const chosen = method.kind === 'percentile' ? this.#percentile(method.share) : this.#leastError(seen);
    return { min: Math.max(seen.min, chosen.min), max: Math.min(seen.max, chosen.max) };
  }

  #double(): void {
    const merged = new Float64Array(BINS);
    for (let i = 0; i < BINS; i++) {
      const bin = HALF + Math.floor((i - HALF) / 2);
      merged[bin] = (merged[bin] ?? 0) + (this.#counts[i] ?? 0);
    }
    this.#counts = merged;
    this.#reach *= 2;
  }

  #edge(bin: number): number {
    return ((bin - HALF) / HALF) * this.#reach;
  }

  #percentile(share: number): Range {
    const tail = (this.#counts.reduce((a, b) => a + b, 0) * (1 - share)) / 2;
    let low = 0;
    for (let below = 0; low < BINS && below + (this.#counts[low] ?? 0) <= tail; low++)
      below += this.#counts[low] ?? 0;
    let high = BINS - 1;
    for (let above = 0; high > low && above + (this.#counts[high] ?? 0) <= tail; high--)
      above += this.#counts[high] ?? 0;
    return { min: this.#edge(low), max: this.#edge(high + 1) };
  }

  /** Either side in turn, twice: the two interact through the step alone. */
  #leastError(seen: Range): Range {
    let range = { min: Math.min(0, seen.min), max: Math.max(0, seen.max) };
    const widest = range;
    for (let round = 0; round < 2; round++) {
      for (const side of ['max', 'min'] as const) {
        if (widest[side] === 0) continue;
        let best = this.#error(range);
        for (const part of CANDIDATES) {
          const candidate = { ...range, [side]: widest[side] * part };
          const error = this.#error(candidate);
          if (error < best) {
            best = error;
            range = candidate;
          }
        }
      }
    }
    return range;
  }

  /** Squared error of a range: step² / 12 for what it holds, the distance squared for what it clips. */
  #error({ min, max }: Range): number {
    const step = (max - min) / STEPS;
    const rounding = (step * step) / 12;
    let error = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const count = this.#counts[bin] ?? 0;
      if (count === 0) continue;
      const centre = this.#edge(bin + 0.5);
      const clipped = centre > max ? centre - max : centre < min ? min - centre : 0;
      // Exact zeros (relu) lie on the grid and cost nothing.
      error += count * (clipped > 0 ? clipped * clipped : bin === HALF ? 0 : rounding);
    }
    return error;
  }
}

/** A step with no divisor in common with the length, and so with the channels: it meets each of them alike. */
function coprimeStep(length: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let step = Math.ceil(length / MOST_VALUES);
  while (gcd(step, length) > 1) step += 1;
  return step;
}
