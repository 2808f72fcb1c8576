import { logMeanExp } from './non-inferiority.js';

/** One device's labelled-or-agreed episodes and their paired outcomes. */
export interface DeviceOutcomes {
  readonly wins: number;
  readonly losses: number;
  readonly episodes: number;
  /** How many devices have exactly these counts: simulations of a million devices group them. */
  readonly devices?: number;
}

/** Spread of the devices' own differences around the fleet's. */
const TAUS = [0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1] as const;
const HARM_ALTERNATIVE = [0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2].map((delta) => -delta);
const PROMOTION_ALTERNATIVE = [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05] as const;
/** Both sides and the middle: what Delta may be when nobody asks about harm or margin. */
const SEQUENCE_ALTERNATIVE = [0, ...[0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2].flatMap((delta) => [-delta, delta])] as const;
const SMALLEST_VARIANCE = 0.001;

/** ln E_fleet for harm: is the candidate worse for the fleet? Null Delta >= 0. GATES.md section 3. */
export function logHarmFleet(devices: readonly DeviceOutcomes[]): number {
  return new FleetLikelihood(devices).logHarm();
}

/** ln E_fleet for promotion: null Delta <= -margin. GATES.md section 4. */
export function logNonInferiorityFleet(devices: readonly DeviceOutcomes[], margin: number): number {
  return new FleetLikelihood(devices).logNonInferiority(margin);
}

/**
 * The random-effects model of a fleet: device j's difference d_j ~ N(Delta, tau^2 + s^2/n_j), s^2 the pooled share of
 * disagreements. E-values come by universal inference (Wasserman, Ramdas and Balakrishnan 2020): the mean likelihood of
 * the alternative over the largest of the null. For each tau the likelihood is a parabola in Delta, so the null's maximum
 * over Delta is exact and a fleet is read once, in O(devices x taus).
 */
export class FleetLikelihood {
  /** Per tau: constant, linear and quadratic coefficient of the log-likelihood in Delta. */
  readonly #parabolas: readonly { readonly constant: number; readonly linear: number; readonly square: number }[];
  /** Devices with episodes. */
  readonly devices: number;

  /** @param step size of one episode's difference: 1, or 1/rate where labels are sampled and outcomes weighted so */
  constructor(outcomes: readonly DeviceOutcomes[], step = 1) {
    const seen = outcomes.filter(({ episodes }) => episodes > 0);
    const sum = (of: (one: DeviceOutcomes) => number) => seen.reduce((total, one) => total + of(one) * (one.devices ?? 1), 0);
    this.devices = sum(() => 1);
    const variance = Math.max(
      SMALLEST_VARIANCE,
      (step * sum(({ wins, losses }) => wins + losses)) /
        Math.max(
          1,
          sum(({ episodes }) => episodes),
        ),
    );
    this.#parabolas = this.devices === 0 ? [] : TAUS.map((tau) => parabola(seen, tau, variance));
  }

  logHarm(): number {
    return this.logE(HARM_ALTERNATIVE, 0, Number.POSITIVE_INFINITY);
  }
  logNonInferiority(margin: number): number {
    return this.logE(PROMOTION_ALTERNATIVE, Number.NEGATIVE_INFINITY, -margin);
  }

  /** ln E against the null that Delta lies in [low, high]; 0 without devices. */
  logE(alternatives: readonly number[], low: number, high: number): number {
    if (this.devices === 0) return 0;
    const alternative = alternatives.flatMap((delta) => this.#parabolas.map((one) => at(one, delta)));
    const nulls = this.#parabolas.map((one) => at(one, Math.min(high, Math.max(low, one.linear / (2 * one.square)))));
    return logMeanExp(alternative) - Math.max(...nulls);
  }

  /**
   * The differences Delta that the evidence does not rule out, valid at every look (a confidence sequence: the values whose
   * E stays under 1/alpha). Share of episodes; null without devices.
   */
  confidenceSequence(alpha: number): { readonly low: number; readonly high: number } | null {
    if (this.devices === 0) return null;
    const limit = -Math.log(alpha);
    const alternative = logMeanExp(SEQUENCE_ALTERNATIVE.flatMap((delta) => this.#parabolas.map((one) => at(one, delta))));
    const excluded = (delta: number) => alternative - Math.max(...this.#parabolas.map((one) => at(one, delta))) >= limit;
    // The best-supported value: the top of the highest parabola. It is never excluded, since E there is at most 1.
    const best = this.#parabolas
      .map((one) => one.linear / (2 * one.square))
      .reduce((a, b) => (Math.max(...this.#parabolas.map((one) => at(one, b))) > Math.max(...this.#parabolas.map((one) => at(one, a))) ? b : a));
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
}

function parabola(outcomes: readonly DeviceOutcomes[], tau: number, variance: number) {
  let [constant, linear, square] = [0, 0, 0];
  for (const { wins, losses, episodes, devices = 1 } of outcomes) {
    const spread = tau * tau + variance / episodes;
    const difference = (wins - losses) / episodes;
    constant -= 0.5 * devices * (Math.log(2 * Math.PI * spread) + (difference * difference) / spread);
    linear += (devices * difference) / spread;
    square += (0.5 * devices) / spread;
  }
  return { constant, linear, square };
}

function at({ constant, linear, square }: { constant: number; linear: number; square: number }, delta: number): number {
  return constant + linear * delta - square * delta * delta;
}
