import {
  type RoundReport,
  roundReport,
  roundRequest,
  SECURE_FIELDS,
  secureVector,
} from '@adbreak/shared/contract/rounds.js';
import {
  differenceInterval,
  type Estimate,
  exactInterval,
  type Moments,
  shareOf,
} from '@adbreak/shared/evidence/intervals.js';
import { z } from 'zod';
import { clusterOfSlice } from '../rollouts/slices.js';

const instant = z.iso.datetime();

/** A federated round: who was asked, who answered with what. docs/statistics.md, "Federated rounds". Pure. */
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
  /** False from its end until the devices and its rollout have heard of that. */
  told: z.boolean().default(true),
});
export type Round = z.infer<typeof round>;

export interface RoundResult {
  readonly asked: number;
  /** Devices behind the estimates. */
  readonly answered: number;
  /** What the intervals take as independent: channels, since devices of one see the same episodes; devices in a secure round, which knows no channels. */
  readonly unit: 'channel' | 'device';
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
/**
 * Micro share Σx/Σn with its interval, over channels' averages or, in a secure round, over devices; and the devices' own mean
 * where single devices are known.
 */
export type ArmResult = Omit<Estimate, 'deviceMean'> & { readonly deviceMean: number | null };
export interface SliceResult {
  readonly devices: number;
  /** Null with fewer devices than may be shown: the cell is coarsened into the whole. */
  readonly production: ArmResult | null;
  readonly candidate: ArmResult | null;
}

/** Everything a round tells; pure. Below its quorum it is inconclusive and shows no estimate. */
export function resultOf(state: Round): RoundResult {
  const { epsilon, secure } = state.request;
  const reports = Object.values(state.answers).filter(({ counts }) => counts.episodes > 0);
  const sums = secure ? (state.sum ?? NOTHING) : sumOverChannels(reports);
  const units = fieldsOf(sums);
  const answered = secure ? units.devices : reports.length;
  const episodes = secure ? units.n : episodesOf(reports);
  const inconclusive =
    state.trouble !== null ||
    answered < Math.max(2, state.quorum, state.minDevices) ||
    units.devices < 2 ||
    units.n <= 0;
  const notes = [
    ...(state.trouble === null ? [] : [state.trouble]),
    ...shortages(state, answered, units.devices),
    ...(inconclusive ? [] : limitsOf(state.request)),
  ];
  return {
    asked: state.cohort.length,
    answered,
    unit: secure ? 'device' : 'channel',
    episodes: Math.max(0, episodes),
    inconclusive,
    ...(inconclusive
      ? HIDDEN
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
          (sum, { sources }) => ({
            operator: sum.operator + sources.operator,
            button: sum.button + sources.button,
            rule: sum.rule + sources.rule,
          }),
          { operator: 0, button: 0, rule: 0 },
        ),
    ageHours: reports.reduce<RoundResult['ageHours']>(
      (range, { ageHours: one }) =>
        one === null
          ? range
          : range === null
            ? one
            : {
                youngest: Math.min(range.youngest, one.youngest),
                oldest: Math.max(range.oldest, one.oldest),
              },
      null,
    ),
  };
}
const HIDDEN: Pick<RoundResult, 'production' | 'candidate' | 'difference' | 'slices' | 'worst'> = {
  production: null,
  candidate: null,
  difference: null,
  slices: {},
  worst: null,
};

/** Why nothing is shown. Privacy and the quorum count devices; an interval needs channels. */
function shortages(
  { quorum, minDevices, request: { secure } }: Round,
  answered: number,
  units: number,
): string[] {
  const notes: string[] = [];
  if (answered < quorum)
    notes.push(`${answered} devices with labelled episodes answered; the quorum is ${quorum}`);
  if (answered < minDevices)
    notes.push(
      `an estimate needs ${minDevices} devices behind it, so that it tells nothing about one of them`,
    );
  if (!secure && answered > 0 && units < 2)
    notes.push(
      'all answers come from one channel: its devices see the same episodes, and an interval for the fleet needs two channels',
    );
  return notes;
}
/** What a reader of the intervals has to know. */
function limitsOf({ epsilon, secure }: Round['request']): string[] {
  const notes: string[] = [];
  if (epsilon !== null)
    notes.push(
      `every count carries discrete Laplace noise of scale ${(1 / epsilon).toFixed(2)}; the intervals hold it`,
    );
  if (secure)
    notes.push(
      'a secure sum knows no channels: the intervals take devices as the unit and may be too narrow where devices share a channel',
    );
  return notes;
}

const NOTHING = SECURE_FIELDS.map(() => 0);
function episodesOf(reports: readonly RoundReport[]): number {
  return reports.reduce((sum, { counts }) => sum + counts.episodes, 0);
}

/**
 * Devices of one channel see the same episodes: their counts are averaged and the channel is one cluster, however many
 * devices watch it (docs/gate.md, "What counts once"). A plain round's sums run over channels as a secure one's over devices.
 */
function sumOverChannels(reports: readonly RoundReport[]): number[] {
  return channelMeans(reports).map(secureVector).reduce(addVectors, NOTHING);
}
function channelMeans(reports: readonly RoundReport[]): RoundReport['counts'][] {
  return [...groups(reports, ({ slice }) => [clusterOfSlice(slice)]).values()].map((own) => {
    const mean = (field: keyof RoundReport['counts']) =>
      own.reduce((sum, { counts }) => sum + counts[field], 0) / own.length;
    return {
      episodes: mean('episodes'),
      productionRight: mean('productionRight'),
      candidateRight: mean('candidateRight'),
      wins: mean('wins'),
      losses: mean('losses'),
    };
  });
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

/** Plain and secure rounds end in the same sums. Units are channels or devices; what is shown counts devices and their episodes. */
function armsOf(
  sums: readonly number[],
  reports: readonly RoundReport[] | null,
): { production: ArmResult; candidate: ArmResult } {
  const { devices, n, nn, production, pp, pn, candidate, cc, cn } = fieldsOf(sums);
  const behind = reports === null ? {} : { devices: reports.length, episodes: episodesOf(reports) };
  const mean = (arm: 'productionRight' | 'candidateRight') =>
    reports === null
      ? null
      : reports.reduce((sum, { counts }) => sum + counts[arm] / counts.episodes, 0) / reports.length;
  return {
    production: {
      ...share({ devices, n, nn, x: production, xx: pp, xn: pn }),
      ...behind,
      deviceMean: mean('productionRight'),
    },
    candidate: {
      ...share({ devices, n, nn, x: candidate, xx: cc, xn: cn }),
      ...behind,
      deviceMean: mean('candidateRight'),
    },
  };
}
/**
 * A share with its interval. A cell of one channel asks about that channel alone, whose devices share their episodes: the
 * average device's episodes are its sample.
 */
function share(moments: Moments): Omit<Estimate, 'deviceMean'> {
  const { devices, n: episodes, x } = moments;
  if (devices > 1) return shareOf(moments);
  // Noise may carry a count beyond its bounds.
  const right = Math.max(0, Math.min(episodes, x));
  return { micro: right / episodes, ...exactInterval(right, episodes), devices, episodes };
}
function momentsOfDifference(sums: readonly number[]): Moments {
  const { devices, n, nn, production, candidate, dd, dn } = fieldsOf(sums);
  return { devices, n, nn, x: candidate - production, xx: dd, xn: dn };
}

function slicesOf(
  { minDevices, request: { epsilon } }: Round,
  reports: readonly RoundReport[],
  notes: string[],
): RoundResult['slices'] {
  const cells = [
    ...groups(reports, ({ slice }) => DIMENSIONS.map((dimension) => `${dimension}=${slice[dimension]}`)),
  ];
  const least = Math.max(2, minDevices);
  const few = (own: readonly RoundReport[]) => own.length < least;
  // The interval of one channel knows its episodes and not the noise on their count.
  const drowned = (own: readonly RoundReport[]) => epsilon !== null && channelMeans(own).length < 2;
  const hidden = cells.filter(([, own]) => few(own)).length;
  if (hidden > 0) notes.push(`${hidden} slices have fewer than ${least} devices and show no estimate`);
  const shown = cells.filter(([, own]) => !few(own));
  const alone = shown.filter(([, own]) => channelMeans(own).length < 2).length;
  if (alone > 0)
    notes.push(
      `${alone} slices hold one channel: ${epsilon === null ? 'their intervals take its episodes as the unit' : 'under noise they show no estimate'}`,
    );
  return Object.fromEntries(
    cells
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, own]): [string, SliceResult] => [
        name,
        few(own) || drowned(own)
          ? { devices: own.length, production: null, candidate: null }
          : { devices: own.length, ...armsOf(sumOverChannels(own), own) },
      ]),
  );
}
const DIMENSIONS = ['channel', 'site', 'hardware'] as const;

function groups(
  reports: readonly RoundReport[],
  keysOf: (report: RoundReport) => readonly string[],
): Map<string, RoundReport[]> {
  const byKey = new Map<string, RoundReport[]>();
  for (const report of reports)
    for (const key of keysOf(report)) {
      const own = byKey.get(key) ?? [];
      own.push(report);
      byKey.set(key, own);
    }
  return byKey;
}

function worstOf({ answers, minDevices }: Round): RoundResult['worst'] {
  const all = Object.entries(answers)
    .filter(([, { counts }]) => counts.episodes > 0)
    .map(([device, { counts }]) => ({
      device,
      gained: counts.candidateRight - counts.productionRight,
      episodes: counts.episodes,
    }))
    .sort((a, b) => a.gained / a.episodes - b.gained / b.episodes);
  const worst = all.slice(0, Math.ceil(all.length / 10));
  const sum = (of: (one: (typeof worst)[number]) => number) =>
    worst.reduce((total, one) => total + of(one), 0);
  return {
    devices: worst.map(({ device }) => device),
    difference:
      worst.length < minDevices ? null : sum(({ gained }) => gained) / sum(({ episodes }) => episodes),
  };
}
