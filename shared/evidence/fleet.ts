import { logMeanExp } from './non-inferiority.js';

/** One device's labelled-or-agreed episodes and their paired outcomes. */
export interface DeviceOutcomes {
  readonly wins: number;
  readonly losses: number;
  readonly episodes: number;
}

/** Spread of the devices' own differences around the fleet's. */
const TAUS = [0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1] as const;
const HARM = {
  null: [0, 0.005, 0.01, 0.02, 0.03, 0.05],
  alternative: [0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2].map((delta) => -delta),
} as const;
const PROMOTION_ALTERNATIVE = [-0.015, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.03, 0.05] as const;
const PROMOTION_NULL = [1, 1.25, 1.5, 2, 2.5, 3.5] as const;
const SMALLEST_VARIANCE = 0.001;

/**
 * ln E_fleet for harm: is the candidate worse for the fleet? Universal inference (Wasserman, Ramdas and Balakrishnan
 * 2020) in the random-effects model d_j ~ N(Delta, tau^2 + s^2/n_j); GATES.md section 3.
 */
export function logHarmFleet(devices: readonly DeviceOutcomes[]): number {
  return logUniversal(devices, HARM.null, HARM.alternative);
}

/** ln E_fleet for promotion: null Delta in -{m, 1.25m, ...}; GATES.md section 4. */
export function logNonInferiorityFleet(devices: readonly DeviceOutcomes[], margin: number): number {
  return logUniversal(
    devices,
    PROMOTION_NULL.map((factor) => -factor * margin),
    PROMOTION_ALTERNATIVE,
  );
}

function logUniversal(devices: readonly DeviceOutcomes[], nulls: readonly number[], alternatives: readonly number[]): number {
  const seen = devices.filter(({ episodes }) => episodes > 0);
  const total = seen.reduce((sum, { episodes }) => sum + episodes, 0);
  if (total === 0) return 0;
  const variance = Math.max(SMALLEST_VARIANCE, seen.reduce((sum, { wins, losses }) => sum + wins + losses, 0) / total);
  const likelihoods = (deltas: readonly number[]) =>
    deltas.flatMap((delta) =>
      TAUS.map((tau) =>
        seen.reduce((sum, device) => sum + logNormal((device.wins - device.losses) / device.episodes, delta, tau ** 2 + variance / device.episodes), 0),
      ),
    );
  return logMeanExp(likelihoods(alternatives)) - Math.max(...likelihoods(nulls));
}

function logNormal(x: number, mean: number, variance: number): number {
  return -0.5 * (Math.log(2 * Math.PI * variance) + (x - mean) ** 2 / variance);
}
