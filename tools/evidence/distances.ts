import { AdbreakError } from '@adbreak/shared/errors.js';
import { logGamma } from '@adbreak/shared/evidence/beta.js';

/**
 * How far two histograms over the same bins lie apart (docs/statistics.md, "Distances", with the reference of each). Counts or shares;
 * `p` is the reference, `q` what is held against it. Pure; throws `input_invalid` where the bins do not match or one is empty.
 */
export type Bins = readonly number[];

const SMALLEST_SHARE = 1e-4;

/** Population stability index Σ(q - p) ln(q / p), empty bins at 1e-4. Reference: evidently. No unit; its values do not depend on how many bins an episode could fall into, but its noise does. */
export function psi(p: Bins, q: Bins): number {
  const [a, b] = shares(p, q);
  return a.reduce((sum, share, i) => {
    const [x, y] = [share || SMALLEST_SHARE, b[i] || SMALLEST_SHARE];
    return sum + (y - x) * Math.log(y / x);
  }, 0);
}

/** Jensen-Shannon distance √(½ KL(p‖m) + ½ KL(q‖m)), in [0, √ln 2] for base e and [0, 1] for base 2. Reference: scipy.spatial.distance.jensenshannon. */
export function jensenShannon(p: Bins, q: Bins, base: 2 | 'e' = 'e'): number {
  const [a, b] = shares(p, q);
  const term = (x: number, mean: number) => (x === 0 ? 0 : x * Math.log(x / mean));
  const divergence = a.reduce((sum, x, i) => {
    const y = b[i] ?? 0;
    return sum + (term(x, (x + y) / 2) + term(y, (x + y) / 2)) / 2;
  }, 0);
  return Math.sqrt(Math.max(0, divergence) / (base === 2 ? Math.LN2 : 1));
}

/** Wasserstein-1 distance: Σ|F - G| times the width of a bin, in the unit of that width. Reference: scipy.stats.wasserstein_distance on bin centres. */
export function wasserstein(p: Bins, q: Bins, binWidth: number): number {
  const [a, b] = shares(p, q);
  let [difference, sum] = [0, 0];
  for (let i = 0; i < a.length - 1; i++) {
    difference += (a[i] ?? 0) - (b[i] ?? 0);
    sum += Math.abs(difference);
  }
  return sum * binWidth;
}

/**
 * Two-sample Kolmogorov-Smirnov on counts: statistic max|F - G| and its asymptotic p. Values inside a bin are ties, so
 * the statistic is a lower bound and p conservative. Reference: scipy.stats.ks_2samp, kstwobign.sf.
 */
export function kolmogorovSmirnov(p: Bins, q: Bins): { readonly statistic: number; readonly p: number } {
  const [a, b] = shares(p, q);
  let [difference, statistic] = [0, 0];
  a.forEach((share, i) => {
    difference += share - (b[i] ?? 0);
    statistic = Math.max(statistic, Math.abs(difference));
  });
  const [n, m] = [total(p), total(q)];
  return { statistic, p: kolmogorovSurvival(statistic * Math.sqrt((n * m) / (n + m))) };
}

/** P(K > x) of Kolmogorov's limit: 2 Σ (-1)^(k-1) exp(-2 k² x²), or Jacobi's form of it where that converges slowly. */
function kolmogorovSurvival(x: number): number {
  if (x <= 0) return 1;
  if (x < 1) {
    let sum = 0;
    for (let k = 1; k <= 20; k++) sum += Math.exp((-((2 * k - 1) ** 2) * Math.PI ** 2) / (8 * x * x));
    return Math.max(0, 1 - (Math.sqrt(2 * Math.PI) / x) * sum);
  }
  let sum = 0;
  for (let k = 1; k <= 20; k++) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return Math.min(1, Math.max(0, 2 * sum));
}

/** Two-sample χ² of homogeneity on counts; bins empty in both are left out. Reference: scipy.stats.chi2_contingency without correction. */
export function chiSquare(
  p: Bins,
  q: Bins,
): { readonly statistic: number; readonly degrees: number; readonly p: number } {
  matching(p, q);
  const [n, m] = [total(p), total(q)];
  let [statistic, filled] = [0, 0];
  p.forEach((x, i) => {
    const y = q[i] ?? 0;
    if (x + y === 0) return;
    filled += 1;
    const expected = ((x + y) * n) / (n + m);
    const other = x + y - expected;
    statistic += (x - expected) ** 2 / expected + (y - other) ** 2 / other;
  });
  const degrees = filled - 1;
  return { statistic, degrees, p: degrees < 1 ? 1 : upperGamma(degrees / 2, statistic / 2) };
}

/** Regularized upper incomplete gamma function Q(a, x): a series below a + 1, Legendre's continued fraction above (DLMF 8.7.1, 8.9.2). */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let k = 1; k < 10_000 && term > sum * 1e-17; k++) {
      term *= x / (a + k);
      sum += term;
    }
    return Math.max(0, 1 - scale * sum);
  }
  // Lentz's method.
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 10_000; k++) {
    const numerator = -k * (k - a);
    b += 2;
    d = 1 / (numerator * d + b || tiny);
    c = b + numerator / c || tiny;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return scale * fraction;
}

function shares(p: Bins, q: Bins): [number[], number[]] {
  matching(p, q);
  const [n, m] = [total(p), total(q)];
  return [p.map((count) => count / n), q.map((count) => count / m)];
}

function matching(p: Bins, q: Bins): void {
  if (p.length !== q.length)
    throw new AdbreakError(
      'input_invalid',
      `Cannot compare histograms: both must have the same bins: current values are ${p.length} and ${q.length}`,
    );
  for (const bins of [p, q]) {
    if (!bins.every((count) => Number.isFinite(count) && count >= 0))
      throw new AdbreakError('input_invalid', 'Cannot compare histograms: counts must be numbers from 0');
    if (total(bins) <= 0)
      throw new AdbreakError('input_invalid', 'Cannot compare histograms: one of them is empty');
  }
}

function total(bins: Bins): number {
  return bins.reduce((sum, count) => sum + count, 0);
}
