import { RandomEffects } from './clusters.js';

/** One device's labelled-or-agreed episodes and their paired outcomes. */
export interface DeviceOutcomes {
  readonly wins: number;
  readonly losses: number;
  readonly episodes: number;
  /** How many devices have exactly these counts: simulations of a million devices group them. */
  readonly devices?: number;
}

/**
 * The random-effects model with devices as clusters and everything answered (docs/statistics.md, "Random effects"):
 * `logHarm` is ln E_fleet against the null Delta >= 0. s^2 is the pooled share of disagreements.
 */
export class FleetLikelihood extends RandomEffects {
  /** @param step size of one episode's difference: 1, or 1/rate where labels are sampled and outcomes weighted so */
  constructor(outcomes: readonly DeviceOutcomes[], step = 1) {
    const seen = outcomes.filter(({ episodes }) => episodes > 0);
    const sum = (of: (one: DeviceOutcomes) => number) =>
      seen.reduce((total, one) => total + of(one) * (one.devices ?? 1), 0);
    const disagreements = step * sum(({ wins, losses }) => wins + losses);
    super(
      seen.map(({ wins, losses, episodes, devices = 1 }) => ({
        mean: (wins - losses) / episodes,
        square: (step * (wins + losses)) / episodes,
        episodes,
        clusters: devices,
      })),
      disagreements /
        Math.max(
          1,
          sum(({ episodes }) => episodes),
        ),
    );
  }

  /** Devices with episodes. */
  get devices(): number {
    return this.clusters;
  }
  /** ln E_fleet for promotion: null Delta <= -margin. docs/statistics.md, "Random effects". */
  logNonInferiority(margin: number): number {
    return this.logNoWorse(margin);
  }
}
