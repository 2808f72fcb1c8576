import { z } from 'zod';
import { digest, modelRef } from './manifest.js';

const MOST = 1e9;
const count = z.int().nonnegative().max(MOST);
/** With noise a count may be negative; its size has an end, so that sums over a fleet stay whole numbers. */
const noisy = z.int().min(-MOST).max(MOST);
const instant = z.iso.datetime();

export const ROUND_ID = /^[a-z0-9][a-z0-9.-]{0,79}$/;
/** One federated evaluation: two models over what the device has labelled itself. docs/statistics.md, "Federated rounds". */
export const roundRequest = z.strictObject({
  round: z.string().regex(ROUND_ID),
  production: modelRef,
  candidate: modelRef,
  deadline: instant,
  /** With pairwise masks: the hub learns the sum over the devices alone. */
  secure: z.boolean(),
  /** Scale of the discrete Laplace noise on every count is 1/epsilon; null for none. */
  epsilon: z.number().gt(0).max(100).nullable(),
});
export type RoundRequest = z.infer<typeof roundRequest>;

/** What a device found in a round, over its own labelled reservoir: counts, never frames. */
export const roundReport = z.strictObject({
  round: z.string().regex(ROUND_ID),
  production: digest,
  candidate: digest,
  /** Labelled episodes by who labelled them. */
  sources: z.strictObject({ operator: count, button: count, rule: count }),
  /** Age of the labels, hours: youngest and oldest; null without episodes. */
  ageHours: z
    .strictObject({ youngest: z.number().nonnegative().max(1e6), oldest: z.number().nonnegative().max(1e6) })
    .nullable(),
  counts: z.strictObject({
    episodes: noisy,
    productionRight: noisy,
    candidateRight: noisy,
    wins: noisy,
    losses: noisy,
  }),
  slice: z.strictObject({
    channel: z.string().max(60),
    site: z.string().max(60),
    hardware: z.string().max(60),
  }),
  /** What its noise has spent in all, on this device. */
  epsilonSpent: z.number().nonnegative().max(1e6),
  at: instant,
});
export type RoundReport = z.infer<typeof roundReport>;

/** Counts of a round that do not add up; null when they do. With noise they need not. */
export function roundContradiction({ counts, sources }: RoundReport, noisy: boolean): string | null {
  const { episodes, productionRight, candidateRight, wins, losses } = counts;
  if (noisy) return null;
  if (Math.min(...Object.values(counts)) < 0) return 'a count is negative';
  if (productionRight > episodes || candidateRight > episodes || wins + losses > episodes)
    return 'more outcomes than episodes';
  if (wins - losses !== candidateRight - productionRight) return 'wins and losses do not fit who was right';
  if (sources.operator + sources.button + sources.rule !== episodes)
    return 'the sources of the labels do not add up to the episodes';
  return null;
}

/** What a device adds to a secure sum, in this order: with the squares the hub can tell how much devices differ without seeing one. */
export const SECURE_FIELDS = [
  'devices',
  'n',
  'production',
  'candidate',
  'wins',
  'losses',
  'nn',
  'pp',
  'pn',
  'cc',
  'cn',
  'dd',
  'dn',
] as const;
export function secureVector({
  episodes: n,
  productionRight: p,
  candidateRight: c,
  wins,
  losses,
}: RoundReport['counts']): number[] {
  const d = c - p;
  // A device without labelled episodes adds nothing, not even itself.
  return n <= 0
    ? SECURE_FIELDS.map(() => 0)
    : [1, n, p, c, wins, losses, n * n, p * p, p * n, c * c, c * n, d * d, d * n];
}
