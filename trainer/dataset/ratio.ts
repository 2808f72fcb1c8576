import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Label } from '@adbreak/shared/video/labels.js';

export const SPLITS = ['train', 'val', 'test'] as const;
/** A split that a network learns from or is judged by; calibration is drawn from train. */
export type FitSplit = (typeof SPLITS)[number];
/** Shares of all pictures; they add up to one. */
export type SplitRatio = Readonly<Record<FitSplit, number>>;

export const DEFAULT_RATIO: SplitRatio = { train: 0.7, val: 0.15, test: 0.15 };
const SUM_TOLERANCE = 0.001;

/** Reads `0.7,0.15,0.15`. Throws `input_invalid`. */
export function parseRatio(text: string): SplitRatio {
  const shares = text.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell)));
  const [train, val, test] = shares;
  const wrong = (why: string) =>
    new AdbreakError(
      'input_invalid',
      `Cannot split by ${JSON.stringify(text.slice(0, 80))}: ${why}, such as 0.7,0.15,0.15`,
    );
  if (train === undefined || val === undefined || test === undefined || shares.length !== 3)
    throw wrong('there must be three shares, for train, val and test');
  if (!shares.every((share) => share > 0 && share < 1))
    throw wrong('each share must be a number above 0 and below 1');
  const sum = train + val + test;
  if (Math.abs(sum - 1) > SUM_TOLERANCE) throw wrong(`the shares must add up to 1, not ${sum.toFixed(3)}`);
  return { train: train / sum, val: val / sum, test: test / sum };
}

export type Counts = Record<Label, number>;
export type Targets = Record<FitSplit, Counts>;

/**
 * How many pictures of each label each split shall have: the splits' sums follow the ratio to a picture, each label is
 * shared out alike, and no split is without a label that has three pictures.
 */
export function targetsOf(counts: Counts, ratio: SplitRatio): Targets {
  const totals = shareOut(counts.ad + counts.content, ratio);
  const ads = shareOut(counts.ad, ratio);
  const contents = shareOut(counts.content, ratio);
  const targets: Targets = {
    train: { ad: ads.train, content: contents.train },
    val: { ad: ads.val, content: contents.val },
    test: { ad: ads.test, content: contents.test },
  };
  // Rounded apart, the labels of a split may miss its sum by one; where there are enough, one content picture moves.
  for (const split of SPLITS) {
    const over = targets[split].ad + targets[split].content - totals[split];
    const other = SPLITS.find((name) => targets[name].ad + targets[name].content - totals[name] === -over);
    if (over !== 1 || other === undefined || targets[split].content < 2) continue;
    targets[split].content -= 1;
    targets[other].content += 1;
  }
  return targets;
}

/** Whole numbers by the ratio, the largest remainders rounded up (Hamilton's method); none is zero where three can be had. */
function shareOut(count: number, ratio: SplitRatio): Record<FitSplit, number> {
  const exact = SPLITS.map((split) => ({ split, share: count * ratio[split] }));
  const whole = { train: 0, val: 0, test: 0 };
  for (const { split, share } of exact) whole[split] = Math.floor(share + 1e-9);
  const byRemainder = [...exact].sort((a, b) => b.share - whole[b.split] - (a.share - whole[a.split]));
  let left = count - whole.train - whole.val - whole.test;
  for (const { split } of byRemainder) if (left-- > 0) whole[split] += 1;
  if (count < SPLITS.length) return whole;
  for (const split of SPLITS) {
    if (whole[split] > 0) continue;
    const [richest = 'train'] = [...SPLITS].sort((a, b) => whole[b] - whole[a]);
    whole[richest] -= 1;
    whole[split] += 1;
  }
  return whole;
}
