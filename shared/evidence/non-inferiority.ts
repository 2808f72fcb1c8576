/** Bets spread over (0, 1/(1-m)); a finer grid changes ln M by less than .02. */
const BETS = 64;

export interface PairedEpisodes {
  /** Episodes where only production was wrong. */
  readonly wins: number;
  /** Episodes where only the candidate was wrong. */
  readonly losses: number;
  /** Episodes on which both said the same, labelled or not: their difference is 0 whatever the truth. */
  readonly agreed: number;
}

/**
 * ln M: is the candidate at most `margin` worse? M = mean over lambda of prod [1 + lambda (d + m)], d = +1, -1, 0 per
 * episode, lambda in (0, 1/(1-m)): a betting martingale against the null that the mean of d is at most -m (Waudby-Smith
 * and Ramdas 2024). PASS where M >= 1/alpha. The first gate's; docs/statistics.md, "Drawn answers".
 * @param margin non-inferiority margin as a share of episodes, in (0, 1)
 */
export function logNonInferiority({ wins, losses, agreed }: PairedEpisodes, margin: number): number {
  if (!(margin > 0 && margin < 1))
    throw new RangeError(
      `Cannot test non-inferiority: the margin must be in (0, 1): current value is ${margin}`,
    );
  const logs = Array.from({ length: BETS }, (_, i) => {
    const bet = (i + 0.5) / BETS / (1 - margin);
    return (
      wins * Math.log1p(bet * (1 + margin)) +
      losses * Math.log1p(bet * (margin - 1)) +
      agreed * Math.log1p(bet * margin)
    );
  });
  return logMeanExp(logs);
}

export function logMeanExp(logs: readonly number[] | Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of logs) if (!(value <= largest)) largest = value;
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (const value of logs) sum += Math.exp(value - largest);
  return largest + Math.log(sum / logs.length);
}
