import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';

const count = z.int().nonnegative();
const outcome = z.object({
  /** Episodes on which both models said the same, labelled or not. */
  agreed: count,
  /** Labelled disagreements where only production was wrong, and where only the candidate was. */
  wins: count,
  losses: count,
});
export type Outcome = z.infer<typeof outcome>;

/** What one device has contributed to a rollout: sums of its window reports. */
export const deviceEvidence = outcome.extend({
  episodes: count,
  /** Disagreements without a label: they say that the arms differ, not who is right. */
  undecided: count,
  labelled: count,
  productionRight: count,
  candidateRight: count,
  windows: count,
  /** Of those while the candidate acted: windows, and episodes decided. */
  actingWindows: count,
  actingDecided: count,
  /** Highest window sequence counted: what comes again is a duplicate. */
  sequence: count,
  memoryMb: count,
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
  actingWindows: 0,
  actingDecided: 0,
  sequence: 0,
  memoryMb: 0,
};

const arm = z.object({
  /** Device-hours, and restarts of inference processes in them. */
  hours: z.number().nonnegative(),
  restarts: count,
});
const latency = z.array(count).length(64);
export const armLabels = z.object({
  /** By [truth][vote]. */
  confusion: z.tuple([z.tuple([count, count]), z.tuple([count, count])]),
  /** Labelled episodes and how many were right, by tenth of p(ad). */
  tenths: z.array(z.tuple([count, count])).length(10),
  /** Episodes by 64ths of p(ad), labelled or not. */
  histogram: z.array(count).length(64),
});

/** All of a rollout's evidence. Sums only: it is the same whatever order reports came in. */
export const evidence = z.object({
  devices: z.record(z.string(), deviceEvidence),
  /** Per `channel=one`, `site=home`, `hardware=pi5`: the devices' outcomes there. A device that moves counts in both places. */
  slices: z.record(z.string(), z.record(z.string(), outcome)),
  /** Devices where the candidate acts, and the others at the same time: the control group. */
  acting: arm,
  control: arm,
  downloadFailures: count,
  latency: z.object({ production: latency, candidate: latency }),
  labels: z.object({ production: armLabels, candidate: armLabels }),
});
export type Evidence = z.infer<typeof evidence>;
export type ArmLabels = z.infer<typeof armLabels>;

const zeros = (n: number) => Array<number>(n).fill(0);
export function noLabels(): ArmLabels {
  return {
    confusion: [
      [0, 0],
      [0, 0],
    ],
    tenths: Array.from({ length: 10 }, (): [number, number] => [0, 0]),
    histogram: zeros(64),
  };
}
export function noEvidence(): Evidence {
  return {
    devices: {},
    slices: {},
    acting: { hours: 0, restarts: 0 },
    control: { hours: 0, restarts: 0 },
    downloadFailures: 0,
    latency: { production: zeros(64), candidate: zeros(64) },
    labels: { production: noLabels(), candidate: noLabels() },
  };
}

/** A device may name this many slices; what it says of further ones counts for the fleet only. */
const MOST_SLICES_OF_A_DEVICE = 12;
const MOST_SLICES = 500;

/**
 * Adds a report to the sums, in place: with ten thousand devices a copy for each report would cost more than the gate.
 * Only `absorb` changes evidence; decisions read it.
 */
export function absorb(
  sums: Evidence,
  device: string,
  report: WindowReport,
  dimensions: readonly ('channel' | 'site' | 'hardware')[],
): void {
  const [[both, onlyCandidate], [onlyProduction, neither]] = report.joint ?? [
    [0, 0],
    [0, 0],
  ];
  const { labelled } = report;
  const gained: Outcome = { agreed: both + neither, wins: labelled.wins, losses: labelled.losses };
  const known = sums.devices[device] ?? NO_EVIDENCE;
  const acts = report.serving === 'candidate';
  sums.devices[device] = {
    ...addOutcome(known, gained),
    episodes: known.episodes + report.episodes,
    undecided: known.undecided + onlyCandidate + onlyProduction - labelled.wins - labelled.losses,
    labelled: known.labelled + labelled.episodes,
    productionRight: known.productionRight + labelled.productionRight,
    candidateRight: known.candidateRight + labelled.candidateRight,
    windows: known.windows + 1,
    actingWindows: known.actingWindows + Number(acts),
    actingDecided: known.actingDecided + (acts ? decided(gained) : 0),
    sequence: Math.max(known.sequence, report.sequence),
    memoryMb: report.memoryMb,
  };
  for (const dimension of dimensions) {
    const key = `${dimension}=${report.slice[dimension]}`;
    const slice = sums.slices[key] ?? {};
    if (slice[device] === undefined && !hasRoom(sums, device, key)) continue;
    slice[device] = addOutcome(slice[device] ?? { agreed: 0, wins: 0, losses: 0 }, gained);
    sums.slices[key] = slice;
  }
  const arm = acts ? sums.acting : sums.control;
  arm.hours += Math.max(0, Date.parse(report.end) - Date.parse(report.start)) / 3_600_000;
  arm.restarts += report.restarts;
  sums.downloadFailures += report.downloadFailures;
  for (const [bins, counts] of [
    [sums.latency.production, report.latency.production],
    [sums.latency.candidate, report.latency.candidate ?? []],
  ] as const)
    for (const [bucket, n] of counts) bins[bucket] = (bins[bucket] ?? 0) + n;
  absorbLabels(
    sums.labels.production,
    report.histograms.production.bins,
    labelled.detail?.production ?? null,
  );
  absorbLabels(
    sums.labels.candidate,
    report.histograms.candidate?.bins ?? [],
    labelled.detail?.candidate ?? null,
  );
}

export function absorbLabels(
  sums: ArmLabels,
  bins: readonly (readonly [number, number])[],
  detail: NonNullable<WindowReport['labelled']['detail']>['candidate'],
): void {
  for (const [bin, n] of bins) sums.histogram[bin >> 2] = (sums.histogram[bin >> 2] ?? 0) + n;
  if (detail === null) return;
  for (const truth of [0, 1] as const)
    for (const vote of [0, 1] as const) sums.confusion[truth][vote] += detail.confusion[truth][vote];
  for (const [tenth, n, right] of detail.tenths) {
    const [episodes, ok] = sums.tenths[tenth] ?? [0, 0];
    sums.tenths[tenth] = [episodes + n, ok + right];
  }
}

function hasRoom({ slices }: Evidence, device: string, key: string): boolean {
  const own = Object.values(slices).filter((one) => Object.hasOwn(one, device)).length;
  return (
    own < MOST_SLICES_OF_A_DEVICE && (slices[key] !== undefined || Object.keys(slices).length < MOST_SLICES)
  );
}

function addOutcome<T extends Outcome>(a: T, b: Outcome): T {
  return { ...a, agreed: a.agreed + b.agreed, wins: a.wins + b.wins, losses: a.losses + b.losses };
}

export type Totals = Omit<DeviceEvidence, 'sequence' | 'memoryMb'>;
export function total(devices: Iterable<DeviceEvidence>): Totals {
  const sum = { ...NO_EVIDENCE };
  for (const one of devices) {
    sum.episodes += one.episodes;
    sum.agreed += one.agreed;
    sum.wins += one.wins;
    sum.losses += one.losses;
    sum.undecided += one.undecided;
    sum.labelled += one.labelled;
    sum.productionRight += one.productionRight;
    sum.candidateRight += one.candidateRight;
    sum.windows += one.windows;
    sum.actingWindows += one.actingWindows;
    sum.actingDecided += one.actingDecided;
  }
  return sum;
}

/** Episodes whose difference is known: agreed ones, and labelled disagreements. */
export function decided({ agreed, wins, losses }: Outcome): number {
  return agreed + wins + losses;
}
