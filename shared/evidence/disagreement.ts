/**
 * Is the share of episodes on which the two arms differ rising? An e-detector in Shiryaev-Roberts form (Shin, Ramdas and
 * Rinaldo 2024): R <- (R + 1) LR per episode, for p0 -> {1.5, 2, 3} p0, averaged. Where disagreements come independently at
 * p0 or less, the mean run to R >= c is at least c episodes. docs/statistics.md, "The disagreement detector".
 */
export interface DisagreementDetector {
  /** Baseline: an upper bound of the share while nothing had changed. */
  readonly baseline: number;
  readonly statistics: readonly number[];
}

const RATIOS = [1.5, 2, 3] as const;
const MOST = 1e300;
/** Shares beyond this make the alternative no probability. */
const LARGEST = 0.99;

export function startDetector(baseline: number): DisagreementDetector {
  if (!(baseline > 0 && baseline < 1))
    throw new RangeError(
      `Cannot watch disagreements: the baseline must be in (0, 1): current value is ${baseline}`,
    );
  return { baseline, statistics: RATIOS.map(() => 0) };
}

/**
 * Takes a window's episodes in, as if its disagreements were spread evenly over them: order within a window is not reported.
 * Each step of R is affine, so runs of equal steps are summed in closed form and a window costs the same whatever its size.
 * @param most the statistics rise no further, so that they can fall again when a rise is over
 */
export function watchDisagreements(
  detector: DisagreementDetector,
  disagreements: number,
  episodes: number,
  most = MOST,
): DisagreementDetector {
  if (episodes <= 0) return detector;
  const { baseline } = detector;
  const period = disagreements === 0 ? episodes : Math.floor(episodes / disagreements);
  const statistics = detector.statistics.map((statistic, i) => {
    const raised = Math.min(LARGEST, baseline * (RATIOS[i] ?? 1));
    const zeros = (n: number) =>
      repeat({ factor: (1 - raised) / (1 - baseline), add: (1 - raised) / (1 - baseline) }, n);
    const yes = { factor: raised / baseline, add: raised / baseline };
    const before = disagreements === 0 ? zeros(0) : repeat(then(zeros(period - 1), yes), disagreements);
    const { factor, add } = then(
      before,
      zeros(episodes - disagreements * (disagreements === 0 ? 0 : period)),
    );
    return Math.min(most, factor * statistic + add);
  });
  return { baseline, statistics };
}

/** R -> factor R + add. */
interface Affine {
  readonly factor: number;
  readonly add: number;
}
function then(first: Affine, second: Affine): Affine {
  return {
    factor: Math.min(MOST, first.factor * second.factor),
    add: Math.min(MOST, first.add * second.factor + second.add),
  };
}
/** The same step n times: a geometric series. */
function repeat({ factor, add }: Affine, n: number): Affine {
  const power = Math.min(MOST, factor ** n);
  return {
    factor: power,
    add: Math.min(MOST, Math.abs(factor - 1) < 1e-12 ? add * n : (add * (power - 1)) / (factor - 1)),
  };
}

/** Mean of the statistics: an alarm where it reaches c. */
export function disagreementEvidence({ statistics }: DisagreementDetector): number {
  return statistics.reduce((sum, value) => sum + value, 0) / statistics.length;
}
