import type { FleetLikelihood } from '@adbreak/shared/evidence/fleet.js';
import { addUp, differenceOf, fleetOf } from './gate.js';
import type { Rollout } from './rollout.js';
import { type Screened, screen } from './screen.js';
import { gateDevices } from './step.js';

/** Where a rollout stands: the devices that count, their sums, and the fleet's likelihood. */
export interface Standing extends Screened {
  readonly sums: ReturnType<typeof addUp>;
  readonly fleet: FleetLikelihood;
  /** The candidate's difference to production, share of episodes, and what the evidence does not rule out; null without episodes. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number } | null;
}

export function standingOf(rollout: Pick<Rollout, 'evidence' | 'plan'>): Standing {
  const { plan } = rollout;
  const screened = screen(gateDevices(rollout), plan.maxTimesMedian);
  const sums = addUp(screened.kept);
  const fleet = fleetOf(screened.kept, plan);
  const sequence = fleet.confidenceSequence(plan.alphaHarm);
  return { ...screened, sums, fleet, difference: sequence && { value: differenceOf(sums), ...sequence } };
}
