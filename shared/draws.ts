import type { Random } from './random.js';

/** Draws from the usual distributions, for simulations. Sources: Marsaglia and Tsang 2000 (gamma); inversion and skips for the discrete ones. */

/** Gamma of a shape > 0 and scale 1. */
export function gamma(random: Random, shape: number): number {
  // Below one: Gamma(a) = Gamma(a + 1) U^(1/a).
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

export function beta(random: Random, a: number, b: number): number {
  const [x, y] = [gamma(random, a), gamma(random, b)];
  return x / (x + y);
}

/** Shares around `mean` (which adds up to one); the larger the concentration, the closer to it. */
export function dirichlet(random: Random, mean: readonly number[], concentration: number): number[] {
  const draws = mean.map((share) => (share === 0 ? 0 : gamma(random, concentration * share)));
  const total = draws.reduce((sum, draw) => sum + draw, 0);
  return total === 0 ? [...mean] : draws.map((draw) => draw / total);
}

/** How many of n come true at chance p: gaps between them are geometric, so the cost is O(n p). */
export function binomial(random: Random, n: number, p: number): number {
  if (p <= 0 || n <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(random, n, 1 - p);
  const gap = Math.log1p(-p);
  let [count, at] = [0, Math.floor(Math.log(1 - random.uniform()) / gap)];
  while (at < n) {
    count += 1;
    at += 1 + Math.floor(Math.log(1 - random.uniform()) / gap);
  }
  return count;
}

export function poisson(random: Random, mean: number): number {
  // In pieces: exp(-mean) must not vanish.
  if (mean > 30) return poisson(random, mean / 2) + poisson(random, mean / 2);
  let [count, product] = [0, random.uniform()];
  for (const limit = Math.exp(-mean); product > limit; count++) product *= random.uniform();
  return count;
}

/** Counts of n draws by shares, added to `into`: binomials one after the other. */
export function multinomial(random: Random, n: number, shares: readonly number[], into: number[]): void {
  let [left, rest] = [n, 1];
  for (let i = 0; i < shares.length && left > 0; i++) {
    const share = shares[i] ?? 0;
    const count = i === shares.length - 1 ? left : binomial(random, left, Math.min(1, share / rest));
    into[i] = (into[i] ?? 0) + count;
    left -= count;
    rest = Math.max(1e-12, rest - share);
  }
}
