import { type Counts, type FitSplit, SPLITS, type SplitRatio, type Targets } from './ratio.js';
import { LABELS } from './scan.js';

export type SplitCounts = Readonly<Record<FitSplit, Counts>>;

const RULE = '='.repeat(50);

/** How many pictures of which label each split has, for people and for scripts that read it. */
export function formatStatistics(counts: SplitCounts): string {
  const blocks = SPLITS.map((split) => {
    const total = totalOf(counts[split]);
    const share = (count: number) => (total === 0 ? 0 : (100 * count) / total).toFixed(1);
    const labels = LABELS.map(
      (label) => `  ${label}: ${counts[split][label]} (${share(counts[split][label])}%)`,
    );
    return [`${split.toUpperCase()} SET:`, `  Total: ${total}`, ...labels].join('\n');
  });
  return `Dataset Statistics:\n${RULE}\n${blocks.join('\n\n')}`;
}

export function totalOf({ ad, content }: Counts): number {
  return ad + content;
}

/** What a model is for decides how many pictures it needs. */
export const PURPOSES = ['base', 'sports', 'news'] as const;
export type Purpose = (typeof PURPOSES)[number];
const SIZES = {
  base: { minimum: 5000, recommended: 20_000, optimal: 50_000 },
  sports: { minimum: 3000, recommended: 10_000, optimal: 30_000 },
  news: { minimum: 3000, recommended: 10_000, optimal: 30_000 },
} as const satisfies Record<Purpose, { minimum: number; recommended: number; optimal: number }>;
const BALANCE = { least: 0.4, most: 0.6 } as const;

/** A folder `data/datasets/sports` says it. */
export function purposeOf(folder: string): Purpose {
  const name = folder.split('/').filter(Boolean).at(-1)?.toLowerCase() ?? '';
  return PURPOSES.find((purpose) => name.includes(purpose)) ?? 'base';
}

/** Whether there are enough pictures, and of both labels alike; each line begins with ✓ or ⚠. */
export function adviseOn(counts: SplitCounts, purpose: Purpose): string[] {
  const all = {
    ad: SPLITS.reduce((sum, split) => sum + counts[split].ad, 0),
    content: SPLITS.reduce((sum, split) => sum + counts[split].content, 0),
  };
  return [adviseOnSize(totalOf(all), purpose), adviseOnBalance(all)];
}

function adviseOnSize(total: number, purpose: Purpose): string {
  const { minimum, recommended, optimal } = SIZES[purpose];
  const said = `${count(total)} pictures for a ${purpose} model`;
  if (total >= optimal) return `✓ ${said}: all that is worth having (${count(optimal)})`;
  if (total >= recommended)
    return `✓ ${said}: as many as recommended (${count(recommended)}); ${count(optimal)} are best`;
  if (total >= minimum)
    return `⚠ ${said}: more than the least (${count(minimum)}), fewer than recommended (${count(recommended)})`;
  return `⚠ ${said}: fewer than the least (${count(minimum)}); collect more, ${count(recommended)} are recommended`;
}

function adviseOnBalance(all: Counts): string {
  const share = all.ad / Math.max(1, totalOf(all));
  const said = `${(100 * share).toFixed(1)}% of them ads`;
  if (share >= BALANCE.least && share <= BALANCE.most) return `✓ ${said}: between 40% and 60%`;
  return `⚠ ${said}: it should be 40% to 60%; collect more ${share < BALANCE.least ? 'ads' : 'content'}, or limit the pictures with --max-frames, which draws both alike`;
}

/** A split may miss its share by so much of all pictures before it is worth a word. */
const MISS = 0.02;

/** Where the groups did not allow the ratio; empty where they did. */
export function adviseOnRatio(
  counts: SplitCounts,
  targets: Targets,
  ratio: SplitRatio,
  largest: { readonly name: string; readonly pictures: number },
): string[] {
  const total = SPLITS.reduce((sum, split) => sum + totalOf(counts[split]), 0);
  const allowed = Math.max(1, MISS * total);
  if (SPLITS.every((split) => Math.abs(totalOf(counts[split]) - totalOf(targets[split])) <= allowed))
    return [];
  const asked = SPLITS.map((split) => ratio[split].toFixed(2)).join(', ');
  const got = SPLITS.map((split) => (totalOf(counts[split]) / Math.max(1, total)).toFixed(2)).join(', ');
  return [
    `⚠ the splits are ${got} of the pictures, where ${asked} was asked: what belongs together stays together, and ${largest.name} alone has ${count(largest.pictures)}`,
  ];
}

export function count(value: number): string {
  return value.toLocaleString('en');
}
