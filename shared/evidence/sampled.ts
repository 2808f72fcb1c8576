import { logMeanExp } from './non-inferiority.js';

const BETS = 64;

/**
 * ln M where each disagreement was labelled with a known chance only: wins and losses count 1/rate each, unlabelled ones 0
 * (Horvitz-Thompson), and bets stay under 1/(1/rate - margin), so that no factor can become negative.
 * The first gate's; docs/statistics.md, "Drawn answers".
 * @param rate chance that a disagreement gets a label, in (0, 1]; it must not depend on who is right
 * @param zeros episodes that agreed, or disagreed without a label
 */
export function logNonInferioritySampled(
  counts: { wins: number; losses: number; zeros: number },
  margin: number,
  rate: number,
): number {
  if (!(rate > 0 && rate <= 1))
    throw new RangeError(`Cannot weigh sampled labels: the rate must be in (0, 1]: current value is ${rate}`);
  if (!(margin > 0 && margin < 1))
    throw new RangeError(
      `Cannot test non-inferiority: the margin must be in (0, 1): current value is ${margin}`,
    );
  const step = 1 / rate;
  return logMeanExp(
    Array.from({ length: BETS }, (_, i) => {
      const bet = (i + 0.5) / BETS / (step - margin);
      return (
        counts.wins * Math.log1p(bet * (step + margin)) +
        counts.losses * Math.log1p(bet * (margin - step)) +
        counts.zeros * Math.log1p(bet * margin)
      );
    }),
  );
}
