import { logBeta, logIncompleteBeta } from './beta.js';

/** Concentration of the mixture: docs/statistics.md, "Pooled harm of the first gate". */
const CONCENTRATION = 10;

/**
 * ln E_pooled: is the candidate worse on the devices that ran it? A beta mixture over P(loss | disagreement) > 1/2
 * against 1/2: E = 2^(l+w) * 2 B(a+l, a+w) [1 - I_{1/2}(a+l, a+w)] / B(a, a). Valid at every look (an e-process:
 * P(ever E >= 1/alpha) <= alpha when the candidate is no worse).
 *
 * The first gate's question: worse at all. Reference: confseq's beta_binomial_log_mixture(l - (l+w)/2, (l+w)/4, g = h = 1/2), r = a/2.
 * @param losses disagreements where only the candidate was wrong (episodes)
 * @param wins disagreements where only production was wrong (episodes)
 */
export function logHarmPooled(losses: number, wins: number, a: number = CONCENTRATION): number {
  requireCounts(losses, wins);
  // 1 - I_{1/2}(a+l, a+w) = I_{1/2}(a+w, a+l), which keeps its precision where it is small.
  return (
    (losses + wins + 1) * Math.LN2 +
    logBeta(a + losses, a + wins) +
    logIncompleteBeta(0.5, a + wins, a + losses) -
    logBeta(a, a)
  );
}

function requireCounts(...counts: number[]): void {
  if (counts.some((count) => !Number.isSafeInteger(count) || count < 0))
    throw new RangeError(
      `Cannot weigh evidence: counts must be whole numbers from 0: current value is ${counts.join(', ')}`,
    );
}
