import { type RoundReport, roundReport, roundRequest, SECURE_FIELDS, secureVector } from '@adbreak/shared/contract/rounds.js';
import { differenceInterval, type Estimate, type Moments, shareOf } from '@adbreak/shared/evidence/intervals.js';
import { z } from 'zod';

const instant = z.iso.datetime();

/** A federated round: who was asked, who answered with what. GATES.md section 7. Pure. */
export const round = z.object({
  id: z.string(),
  model: z.string(),
  request: roundRequest,
  started: instant,
  who: z.string(),
  quorum: z.int().positive(),
  /** A cell of the result is shown only with so many devices behind it. */
  minDevices: z.int().positive(),
  /** The rollout whose gate waits for it; null by hand. */
  rollout: z.string().nullable(),
  cohort: z.array(z.string()),
  status: z.enum(['open', 'closed', 'cancelled']),
  /** By device. A secure round has none: the hub never sees a device's counts. */
  answers: z.record(z.string(), roundReport),
  /** A secure round's sum, once enough devices have unmasked it; in the order of SECURE_FIELDS. */
  sum: z.array(z.number()).length(SECURE_FIELDS.length).nullable(),
  closed: instant.nullable(),
  /** What went wrong with it, for all to read: it is inconclusive then. */
  trouble: z.string().nullable().default(null),
});
export type Round = z.infer<typeof round>;

export interface RoundResult {
  readonly asked: number;
  /** Devices behind the estimates. */
  readonly answered: number;
  readonly episodes: number;
  readonly inconclusive: boolean;
  /** Why nothing, or less, is shown. */
  readonly notes: readonly string[];
  readonly production: ArmResult | null;
  readonly candidate: ArmResult | null;
  /** Candidate less production, share of episodes, with its interval. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number } | null;
  readonly slices: Readonly<Record<string, SliceResult>>;
  /** The tenth of the devices where the candidate gains least: who they are, and their difference together, where there are enough of them to be shown. */
  readonly worst: { readonly devices: readonly string[]; readonly difference: number | null } | null;
  readonly sources: { readonly operator: number; readonly button: number; readonly rule: number } | null;
  readonly ageHours: { readonly youngest: number; readonly oldest: number } | null;
}
/** Micro share Σx/Σn with its interval, and the devices' own mean where single devices are known. */
export type ArmResult = Omit<Estimate, 'deviceMean'> & { readonly deviceMean: number | null };
export interface SliceResult {
  readonly devices: number;
  /** Null with fewer devices than may be shown: the cell is coarsened into the whole. */
  readonly production: ArmResult | null;
  readonly candidate: ArmResult | null;
}

/** Everything a round tells; pure. Below its quorum it is inconclusive and shows no estimate. */
export function resultOf(state: Round): RoundResult {
  const reports = Object.values(state.answers).filter(({ counts }) => counts.episodes > 0);
  const sums = state.request.secure
    ? (state.sum ?? SECURE_FIELDS.map(() => 0))
    : reports
        .map(({ counts }) => secureVector(counts))
        .reduce(
          addVectors,
          SECURE_FIELDS.map(() => 0),
        );
  const fields = fieldsOf(sums);
  const notes: string[] = [];
  if (fields.devices < state.quorum) notes.push(`${fields.devices} devices with labelled episodes answered; the quorum is ${state.quorum}`);
  if (fields.devices < state.minDevices) notes.push(`an estimate needs ${state.minDevices} devices behind it, so that it tells nothing about one of them`);
  if (state.trouble !== null) notes.push(state.trouble);
  const { epsilon, secure } = state.request;
  if (epsilon !== null) notes.push(`every count carries discrete Laplace noise of scale ${(1 / epsilon).toFixed(2)}; the intervals hold it`);
  const inconclusive = state.trouble !== null || fields.devices < Math.max(2, state.quorum, state.minDevices) || fields.n <= 0;
  const hidden: Pick<RoundResult, 'production' | 'candidate' | 'difference' | 'slices' | 'worst'> = {
    production: null,
    candidate: null,
    difference: null,
    slices: {},
    worst: null,
  };
  return {
    asked: state.cohort.length,
    answered: fields.devices,
    episodes: Math.max(0, fields.n),
    inconclusive,
    ...(inconclusive
      ? hidden
      : {
          ...armsOf(sums, secure ? null : reports),
          difference: differenceInterval(momentsOfDifference(sums)),
          slices: secure ? {} : slicesOf(state, reports, notes),
          worst: secure || epsilon !== null ? null : worstOf(state),
        }),
    notes,
    sources: secure
      ? null
      : reports.reduce(
          (sum, { sources }) => ({ operator: sum.operator + sources.operator, button: sum.button + sources.button, rule: sum.rule + sources.rule }),
          { operator: 0, button: 0, rule: 0 },
        ),
    ageHours: reports.reduce<RoundResult['ageHours']>(
      (range, { ageHours: one }) =>
        one === null ? range : range === null ? one : { youngest: Math.min(range.youngest, one.youngest), oldest: Math.max(range.oldest, one.oldest) },
      null,
    ),
  };
}

/** A secure sum that no devices can have counted: a share or an input was damaged, and what came out is noise. Null where it adds up. */
export function sumContradiction(sum: readonly number[], asked: number): string | null {
  const { devices, n, production, candidate, wins, losses, nn, pp, pn, cc, cn, dd, dn } = fieldsOf(sum);
  const possible =
    sum.every(Number.isSafeInteger) &&
    [devices, n, production, candidate, wins, losses, nn, pp, pn, cc, cn, dd].every((one) => one >= 0) &&
    devices <= asked &&
    devices <= n &&
    Math.max(production, candidate, wins + losses) <= n &&
    wins - losses === candidate - production &&
    Math.max(pp, pn, cc, cn, dd, Math.abs(dn)) <= nn;
  return possible ? null : 'the sum came out as no devices can have counted: a share or an input was damaged';
}

export function addVectors(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + (b[i] ?? 0));
}
function fieldsOf(sums: readonly number[]): Record<(typeof SECURE_FIELDS)[number], number> {
  const at = (name: (typeof SECURE_FIELDS)[number]) => sums[SECURE_FIELDS.indexOf(name)] ?? 0;
  return {
    devices: at('devices'),
    n: at('n'),
    production: at('production'),
    candidate: at('candidate'),
    wins: at('wins'),
    losses: at('losses'),
    nn: at('nn'),
    pp: at('pp'),
    pn: at('pn'),
    cc: at('cc'),
    cn: at('cn'),
    dd: at('dd'),
    dn: at('dn'),
  };
}

/** Plain and secure rounds end in the same sums, so they give the same intervals. */
function armsOf(sums: readonly number[], reports: readonly RoundReport[] | null): { production: ArmResult; candidate: ArmResult } {
  const { devices, n, nn, production, pp, pn, candidate, cc, cn } = fieldsOf(sums);
  const mean = (arm: 'productionRight' | 'candidateRight') =>
    reports === null ? null : reports.reduce((sum, { counts }) => sum + counts[arm] / counts.episodes, 0) / reports.length;
  return {
    production: { ...shareOf({ devices, n, nn, x: production, xx: pp, xn: pn }), deviceMean: mean('productionRight') },
    candidate: { ...shareOf({ devices, n, nn, x: candidate, xx: cc, xn: cn }), deviceMean: mean('candidateRight') },
  };
}
function momentsOfDifference(sums: readonly number[]): Moments {
  const { devices, n, nn, production, candidate, dd, dn } = fieldsOf(sums);
  return { devices, n, nn, x: candidate - production, xx: dd, xn: dn };
}

function slicesOf({ minDevices }: Round, reports: readonly RoundReport[], notes: string[]): RoundResult['slices'] {
  const byName = new Map<string, RoundReport[]>();
  for (const report of reports)
    for (const dimension of ['channel', 'site', 'hardware'] as const) {
      const key = `${dimension}=${report.slice[dimension]}`;
      const own = byName.get(key) ?? [];
      own.push(report);
      byName.set(key, own);
    }
  const least = Math.max(2, minDevices);
  const hidden = [...byName.values()].filter(({ length }) => length < least).length;
  if (hidden > 0) notes.push(`${hidden} slices have fewer than ${least} devices and show no estimate`);
  return Object.fromEntries(
    [...byName]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, own]): [string, SliceResult] => [
        name,
        own.length < least
          ? { devices: own.length, production: null, candidate: null }
          : { devices: own.length, ...armsOf(own.map(({ counts }) => secureVector(counts)).reduce(addVectors), own) },
      ]),
  );
}

function worstOf({ answers, minDevices }: Round): RoundResult['worst'] {
  const all = Object.entries(answers)
    .filter(([, { counts }]) => counts.episodes > 0)
    .map(([device, { counts }]) => ({ device, gained: counts.candidateRight - counts.productionRight, episodes: counts.episodes }))
    .sort((a, b) => a.gained / a.episodes - b.gained / b.episodes);
  const worst = all.slice(0, Math.ceil(all.length / 10));
  const sum = (of: (one: (typeof worst)[number]) => number) => worst.reduce((total, one) => total + of(one), 0);
  return {
    devices: worst.map(({ device }) => device),
    difference: worst.length < minDevices ? null : sum(({ gained }) => gained) / sum(({ episodes }) => episodes),
  };
}
