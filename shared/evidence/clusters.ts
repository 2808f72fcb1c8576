import { median, weightedMedian } from './median.js';
import { logMeanExp } from './non-inferiority.js';

/** What one cluster (a channel, a day, a device) found, for the random-effects model. */
export interface Cluster {
  /** Mean of its episodes' steps: the estimate of its own difference. */
  readonly mean: number;
  /** Mean square of a step. At rate 1 and without wrong answers: its share of disagreements. */
  readonly square: number;
  readonly episodes: number;
  /** Its share of disagreements as estimated from what was drawn; `square` where none is given. Bounds its influence only. */
  readonly share?: number;
  /** Root mean square of 1/rate over its episodes: what one draw counts; 1 where none is given. */
  readonly step?: number;
  /** How many clusters have exactly these values: simulations of a million devices group them. */
  readonly clusters?: number;
}

/** Spread of the clusters' own differences around the fleet's. */
const TAUS = [0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1] as const;
const HARMS = [0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2] as const;
const PROMOTION_ALTERNATIVE = [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05] as const;
/** Both sides and the middle: what Delta may be when nobody asks about harm or margin. */
const SEQUENCE_ALTERNATIVE = [
  0,
  ...[0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2].flatMap((delta) => [-delta, delta]),
] as const;
const SMALLEST_VARIANCE = 0.001;
/** Draws that the variance is computed with beyond those seen: none seen excludes three expected ones at .05 (rule of three). */
const UNSEEN_DRAWS = 3;

/**
 * The random-effects model of a fleet (docs/statistics.md, "Random effects"): cluster c's difference d_c ~ N(Delta, tau^2 + s^2/n_c). E-values
 * come by universal inference (Wasserman, Ramdas and Balakrishnan 2020): the mean likelihood of the alternative over the
 * largest of the null. For each tau the likelihood is a parabola in Delta, so the null's maximum over Delta is exact and a
 * fleet is read once, in O(clusters x taus).
 */
export class RandomEffects {
  readonly #parabolas: readonly Parabola[];
  /** Clusters with episodes. */
  readonly clusters: number;

  /** @param variance s^2 of one episode's step, pooled; .001 at least */
  constructor(clusters: readonly Cluster[], variance: number) {
    const seen = clusters.filter(({ episodes }) => episodes > 0);
    this.clusters = seen.reduce((sum, one) => sum + (one.clusters ?? 1), 0);
    this.#parabolas =
      this.clusters === 0
        ? []
        : TAUS.map((tau) => parabola(seen, tau, Math.max(SMALLEST_VARIANCE, variance)));
  }

  /** ln E for harm by more than a tolerance: null Delta >= -tolerance. */
  logHarm(tolerance = 0): number {
    const alternative = HARMS.map((harm) => -harm - tolerance);
    return this.logE(alternative, -tolerance, Number.POSITIVE_INFINITY);
  }
  /** ln E for no more than `margin` worse: null Delta <= -margin. */
  logNoWorse(margin: number): number {
    return this.logE(PROMOTION_ALTERNATIVE, Number.NEGATIVE_INFINITY, -margin);
  }

  /** ln E against the null that Delta lies in [low, high]; 0 without clusters. */
  logE(alternatives: readonly number[], low: number, high: number): number {
    if (this.clusters === 0) return 0;
    const nulls = this.#parabolas.map((one) => at(one, Math.min(high, Math.max(low, top(one)))));
    return this.#logMean(alternatives) - Math.max(...nulls);
  }

  /**
   * The differences Delta that the evidence does not rule out, valid at every look (a confidence sequence: the values whose
   * E stays under 1/alpha). Share of episodes; null without clusters.
   */
  confidenceSequence(alpha: number): { readonly low: number; readonly high: number } | null {
    if (this.clusters === 0) return null;
    const limit = -Math.log(alpha);
    const alternative = this.#logMean(SEQUENCE_ALTERNATIVE);
    const likelihood = (delta: number) => Math.max(...this.#parabolas.map((one) => at(one, delta)));
    const excluded = (delta: number) => alternative - likelihood(delta) >= limit;
    // The best-supported value: the top of the highest parabola. It is never excluded, since E there is at most 1.
    const best = this.#parabolas.map(top).reduce((a, b) => (likelihood(b) > likelihood(a) ? b : a));
    const edge = (outside: number) => {
      if (!excluded(outside)) return outside;
      let [inside, beyond] = [best, outside];
      for (let i = 0; i < 60; i++) {
        const middle = (inside + beyond) / 2;
        if (excluded(middle)) beyond = middle;
        else inside = middle;
      }
      return inside;
    };
    return { low: edge(-1), high: edge(1) };
  }

  #logMean(deltas: readonly number[]): number {
    const logs: number[] = [];
    for (const delta of deltas) for (const one of this.#parabolas) logs.push(at(one, delta));
    return logMeanExp(logs);
  }
}

/**
 * The model over clusters of drawn answers; s^2 = the pooled mean square of a step. With rate 1 and no wrong answers it is
 * FleetLikelihood.
 *
 * Seldom and large steps: before the first draw every mean is 0 and so is the pooled square, and a fleet nobody has asked
 * would look like one that is certainly alike (simulated, five channels at 1/64: false "no worse" in 70 %). So s^2 holds
 * three draws more than were seen, less what they are at rate 1: 3 (step^2 - 1).
 *
 * `clip` bounds what one cluster may say (docs/gate.md, "The two questions"): its mean moves to within twice the median share of
 * disagreements, plus two standard errors of its own, lest a cluster of few draws be clipped for its noise: the mean of
 * seldom and large steps is wide and honest. Half of the clusters would have to lie to move the median.
 */
export class ClusterLikelihood extends RandomEffects {
  constructor(clusters: readonly Cluster[], { clip = false }: { clip?: boolean } = {}) {
    const seen = clusters.filter(({ episodes }) => episodes > 0);
    const variance = Math.max(SMALLEST_VARIANCE, varianceOf(seen));
    super(clip ? clipped(seen, variance) : seen, variance);
  }
}

function varianceOf(clusters: readonly Cluster[]): number {
  let [episodes, squares, steps] = [0, 0, 0];
  for (const one of clusters) {
    const weight = one.episodes * (one.clusters ?? 1);
    episodes += weight;
    squares += weight * one.square;
    steps += weight * (one.step ?? 1) ** 2;
  }
  return episodes === 0 ? 0 : (squares + UNSEEN_DRAWS * (steps / episodes - 1)) / episodes;
}

function clipped(clusters: readonly Cluster[], variance: number): Cluster[] {
  const most = 2 * medianShare(clusters);
  return clusters.map((one) => {
    const limit = most + 2 * Math.sqrt(variance / one.episodes);
    return Math.abs(one.mean) <= limit ? one : { ...one, mean: Math.max(-limit, Math.min(limit, one.mean)) };
  });
}

function medianShare(clusters: readonly Cluster[]): number {
  const shareOf = ({ share, square }: Cluster) => share ?? square;
  if (clusters.every(({ clusters: weight = 1 }) => weight === 1)) return median(clusters.map(shareOf));
  return weightedMedian(clusters.map((one) => ({ value: shareOf(one), weight: one.clusters ?? 1 })));
}

/** Constant, linear and quadratic coefficient of a log-likelihood in Delta. */
interface Parabola {
  readonly constant: number;
  readonly linear: number;
  readonly square: number;
}
function parabola(clusters: readonly Cluster[], tau: number, variance: number): Parabola {
  let [constant, linear, square] = [0, 0, 0];
  for (const { mean, episodes, clusters: weight = 1 } of clusters) {
    const spread = tau * tau + variance / episodes;
    constant -= 0.5 * weight * (Math.log(2 * Math.PI * spread) + (mean * mean) / spread);
    linear += (weight * mean) / spread;
    square += (0.5 * weight) / spread;
  }
  return { constant, linear, square };
}
function at({ constant, linear, square }: Parabola, delta: number): number {
  return constant + linear * delta - square * delta * delta;
}
/** The Delta with the largest likelihood. */
function top({ linear, square }: Parabola): number {
  return linear / (2 * square);
}
