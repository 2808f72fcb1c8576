import { median } from './median.js';
import { clusterOf, logHarm, logNoWorse, type Tallies } from './tally.js';

/** Robust standard deviations that a unit may differ from the others by. */
const DEVIATIONS = 4;
/** MAD of a normal law to its standard deviation. */
const TO_DEVIATION = 1.4826;

export interface Outliers {
  /** A unit whose difference lies outside [low, high] is its own case; share of episodes. */
  readonly low: number;
  readonly high: number;
  /** In the order given: ln E that the unit lies below `low`, above `high`. Evidence against it is given as 0. */
  readonly units: readonly { readonly below: number; readonly above: number }[];
}

/**
 * Which units (devices, channels) differ from the others by more than units may (docs/gate.md, "Broken units")? A broken tuner that
 * loses 40 points is its own case: left in, it suspends every good candidate and hides one that is worse.
 *
 * Units do differ, honestly and for ever: at a correlation of .1 and a tenth of disagreements their differences have a
 * standard deviation of 3 points, and with enough episodes any test of "equal to the others" calls all of them outliers. So
 * the null is wide: within t of the fleet's median, t = max(least, 4 x 1.4826 MAD of the units' means). Median and MAD
 * do not move while the broken are fewer than half. Early, the means' own noise widens t; later t is what units differ by.
 *
 * The evidence is the bet of the whole fleet (logHarm, logNoWorse) against a level instead of a margin, so it holds for any
 * rates, open draws and wrong answers, at every look, as long as the level does. Both the level and the unit take open draws
 * from the side that spares it: the others at their worst and itself at its best for `below`, the reverse for `above`.
 * The caller corrects for 2 x units questions: ln E >= ln(2 x units / alpha).
 *
 * One pass over the units and four medians. Most lie inside the level at each of their rates; then every bet has a mean of 0
 * or less, ln(1 + x) <= x says that the evidence is at most 0, and nothing more is computed.
 * @param options.least tolerance t has at least, share of episodes > 0
 * @param options.wrong bound on the share of wrong answers, in [0, 1/2)
 */
export function findOutliers(
  units: readonly Tallies[],
  { least, wrong }: { least: number; wrong: number },
): Outliers {
  if (!(least > 0))
    throw new RangeError(
      `Cannot compare units: the least tolerance must be above 0: current value is ${least}`,
    );
  const level = (side: 'harm' | 'promotion', sign: 1 | -1) => {
    const means = units
      .map((tallies) => clusterOf(tallies, side, wrong))
      .flatMap(({ mean, episodes }) => (episodes > 0 ? [mean] : []));
    const middle = median(means);
    const deviation = TO_DEVIATION * median(means.map((mean) => Math.abs(mean - middle)));
    // Means of few draws may lie beyond 1; no difference does.
    return Math.max(-1, Math.min(1, middle)) + sign * Math.max(least, DEVIATIONS * deviation);
  };
  const [low, high] = [level('promotion', -1), level('harm', 1)];
  const below = (tallies: Tallies) =>
    low <= -1 || tallies.every((one) => clusterOf([one], 'harm', wrong).mean >= low)
      ? 0
      : Math.max(0, logHarm(tallies, { tolerance: -low, wrong }));
  const above = (tallies: Tallies) =>
    high >= 1 || tallies.every((one) => clusterOf([one], 'promotion', wrong).mean <= high)
      ? 0
      : Math.max(0, logNoWorse(tallies, { margin: -high, wrong }));
  return { low, high, units: units.map((tallies) => ({ below: below(tallies), above: above(tallies) })) };
}
