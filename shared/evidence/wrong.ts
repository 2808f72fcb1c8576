import { exactInterval, fleetShare } from './intervals.js';

/** Under so many answered control items nothing is concluded from them. */
const FEW_ITEMS = 10;
/** At 1/2 answers say nothing; evidence weighed with a share above this would never arrive. */
const MOST = 0.45;

/**
 * How many answers are wrong, from hidden control items: disagreements whose answer is known. The interval is the widest of
 * two: labellers differ (logit-t over labellers, as fleetShare), and items are few (Clopper and Pearson 1934: alone it holds
 * for one labeller, and it keeps a handful of labellers who happen to be alike from looking certain).
 * `used` is the plan's value unless the controls reject it; then the upper end, at most .45.
 * @param controls by labeller (device): control items that were answered, and how many of them wrongly
 * @param assumed the plan's share of wrong answers, in [0, .45]
 */
export function wrongAnswers(
  controls: readonly { answered: number; wrong: number }[],
  assumed: number,
): { share: number; low: number; high: number; used: number } {
  if (!(assumed >= 0 && assumed <= MOST))
    throw new RangeError(
      `Cannot weigh answers: the share of wrong ones must be in [0, ${MOST}]: current value is ${assumed}`,
    );
  if (
    controls.some(
      ({ answered, wrong }) =>
        !(Number.isSafeInteger(answered) && Number.isSafeInteger(wrong) && wrong >= 0 && wrong <= answered),
    )
  )
    throw new RangeError(
      'Cannot weigh answers: control items must be counts, no more of them wrong than answered',
    );
  const labellers = controls.filter(({ answered }) => answered > 0);
  const items = labellers.reduce((sum, { answered }) => sum + answered, 0);
  const wrong = labellers.reduce((sum, one) => sum + one.wrong, 0);
  const alone = exactInterval(wrong, items);
  const among =
    labellers.length < 2
      ? alone
      : fleetShare(labellers.map(({ answered, wrong: right }) => ({ episodes: answered, right })));
  const [low, high] = [Math.min(alone.low, among.low), Math.max(alone.high, among.high)];
  const rejected = items >= FEW_ITEMS && low > assumed;
  return {
    share: items === 0 ? 0 : wrong / items,
    low,
    high,
    used: rejected ? Math.min(MOST, high) : assumed,
  };
}
