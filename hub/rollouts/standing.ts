import { type Outcome, total } from './evidence.js';
import { differenceOf, fleetOf } from './gate.js';
import type { Rollout } from './rollout.js';
import { screen } from './screen.js';
import { gateDevices } from './step.js';

/** Totals over the devices that count. */
export function evidenceTotals(rollout: Pick<Rollout, 'evidence' | 'plan'>): Outcome & { readonly undecided: number; readonly episodes: number } {
  const kept = new Set(screen(gateDevices(rollout), rollout.plan.maxTimesMedian).kept.map(({ id }) => id));
  return total(Object.entries(rollout.evidence.devices).flatMap(([id, one]) => (kept.has(id) ? [one] : [])));
}

/** The candidate's difference to production, share of episodes, and what the evidence does not rule out; null without episodes. */
export function differenceNow(rollout: Pick<Rollout, 'evidence' | 'plan'>): { readonly value: number; readonly low: number; readonly high: number } | null {
  const { kept } = screen(gateDevices(rollout), rollout.plan.maxTimesMedian);
  const sequence = fleetOf(kept, rollout.plan).confidenceSequence(rollout.plan.alphaHarm);
  return sequence && { value: differenceOf(evidenceTotals(rollout)), ...sequence };
}
