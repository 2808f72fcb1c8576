import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';

const count = z.int().nonnegative();
/** What one device has contributed to a rollout: sums of its window reports. */
export const deviceEvidence = z.object({
  episodes: count,
  agreed: count,
  wins: count,
  losses: count,
  /** Disagreements without a label: they say that the arms differ, not who is right. */
  undecided: count,
  labelled: count,
  productionRight: count,
  candidateRight: count,
  windows: count,
});
export type DeviceEvidence = z.infer<typeof deviceEvidence>;
export const NO_EVIDENCE: DeviceEvidence = {
  episodes: 0,
  agreed: 0,
  wins: 0,
  losses: 0,
  undecided: 0,
  labelled: 0,
  productionRight: 0,
  candidateRight: 0,
  windows: 0,
};

/** Adds a report with a candidate to a device's sums. Reports merge by addition; order does not matter. */
export function addReport(sums: DeviceEvidence, report: WindowReport): DeviceEvidence {
  const [[both, onlyCandidate], [onlyProduction, neither]] = report.joint ?? [
    [0, 0],
    [0, 0],
  ];
  const { labelled } = report;
  return {
    episodes: sums.episodes + report.episodes,
    agreed: sums.agreed + both + neither,
    wins: sums.wins + labelled.wins,
    losses: sums.losses + labelled.losses,
    undecided: sums.undecided + onlyCandidate + onlyProduction - labelled.wins - labelled.losses,
    labelled: sums.labelled + labelled.episodes,
    productionRight: sums.productionRight + labelled.productionRight,
    candidateRight: sums.candidateRight + labelled.candidateRight,
    windows: sums.windows + 1,
  };
}

export function total(evidence: Readonly<Record<string, DeviceEvidence>>): DeviceEvidence {
  return Object.values(evidence).reduce(
    (sum, one) => ({
      episodes: sum.episodes + one.episodes,
      agreed: sum.agreed + one.agreed,
      wins: sum.wins + one.wins,
      losses: sum.losses + one.losses,
      undecided: sum.undecided + one.undecided,
      labelled: sum.labelled + one.labelled,
      productionRight: sum.productionRight + one.productionRight,
      candidateRight: sum.candidateRight + one.candidateRight,
      windows: sum.windows + one.windows,
    }),
    NO_EVIDENCE,
  );
}

/** Episodes whose difference is known: agreed ones, and labelled disagreements. */
export function decided({ agreed, wins, losses }: DeviceEvidence): number {
  return agreed + wins + losses;
}
