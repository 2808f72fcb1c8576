import { z } from 'zod';
import { instantSchema } from './instant.js';
import { digest, modelRef } from './manifest.js';

const MOST = 1e9;
const count = z.int().nonnegative().max(MOST);
/** With noise a count may be negative; its size has an end, so that sums over a fleet stay whole numbers. */
const noisy = z.int().min(-MOST).max(MOST);
const instant = instantSchema();

export const ROUND_ID = /^[a-z0-9][a-z0-9.-]{0,79}$/;
/** One federated evaluation: two models over what the device has labelled itself. docs/statistics.md, "Federated rounds". */
export const roundRequest = z.strictObject({
  round: z.string().regex(ROUND_ID).describe('Name of the round, as it stands in the topic of the answer.'),
  production: modelRef.describe('The version that is compared with.'),
  candidate: modelRef.describe('The version that is compared.'),
  deadline: instant.describe('Answers after it count no more.'),
  secure: z.boolean().describe('With pairwise masks: the hub learns the sum over the devices alone.'),
  epsilon: z
    .number()
    .gt(0)
    .max(100)
    .nullable()
    .describe('Scale of the discrete Laplace noise on every count is 1/epsilon; null: no noise.'),
});
export type RoundRequest = z.infer<typeof roundRequest>;

/** What a device found in a round, over its own labelled reservoir: counts, never frames. */
export const roundReport = z.strictObject({
  round: z.string().regex(ROUND_ID).describe('Name of the round.'),
  production: digest.describe('Digest of the version that was compared with, as the request says.'),
  candidate: digest.describe('Digest of the version that was compared, as the request says.'),
  sources: z
    .strictObject({
      operator: count.describe('A person, through the hub.'),
      button: count.describe('A person, at the device.'),
      rule: count.describe('A rule.'),
    })
    .describe('Labelled episodes by who labelled them: they add up to `counts.episodes`; all 0 with noise.'),
  ageHours: z
    .strictObject({
      youngest: z.number().nonnegative().max(1e6).describe('Of the youngest label.'),
      oldest: z.number().nonnegative().max(1e6).describe('Of the oldest label.'),
    })
    .nullable()
    .describe('Age of the labels, hours; null without episodes, and with noise.'),
  counts: z
    .strictObject({
      episodes: noisy.describe('Labelled episodes that both models looked at.'),
      productionRight: noisy.describe('Of these, production voted as the label says.'),
      candidateRight: noisy.describe('Of these, the candidate did.'),
      wins: noisy.describe('Of these, only production was wrong.'),
      losses: noisy.describe('Of these, only the candidate was wrong.'),
    })
    .describe('What was found; with noise a count may be negative.'),
  slice: z
    .strictObject({
      channel: z.string().max(60).describe('As in window reports.'),
      site: z.string().max(60).describe('As in window reports.'),
      hardware: z.string().max(60).describe('As in window reports.'),
    })
    .describe('Where the device is.'),
  epsilonSpent: z
    .number()
    .nonnegative()
    .max(1e6)
    .describe('What noise has cost in all on this device, epsilon: a round costs 4 of its own.'),
  at: instant.describe('When it was counted, by the clock of the device.'),
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
