import type { Cluster } from './clusters.js';
import { logMeanExp } from './non-inferiority.js';

/**
 * Evidence from drawn disagreements (docs/gate.md, "Draws and answers"). A device draws each disagreement of a window with a
 * chance fixed before the window began; people answer what was drawn, late, wrongly or not at all. An episode's step x is
 * 0 where the models agreed or nothing was drawn, and what the answer says over the rate where something was (Horvitz and
 * Thompson 1952), so that E[x] bounds E[d] from the side on which a mistake would cost something:
 *
 * - An open draw takes the worst value it may have: right whatever the reason for the silence.
 * - With a share e <= `wrong` of answers turned round, an outcome that is weighed with (1 + wrong)/(1 - wrong) still weighs
 *   at least 1 on average: (1 - e) w - e >= 1. Turned round the other way it only loses: (1 - e) - e w <= 1.
 *
 * Answers may come late, and losses later than wins. Evidence is at most N, the product that holds the truth of what is
 * still open; an answer changes N by a factor of at most 1 on average, whichever draws people choose to answer, and so does
 * a new episode under the null: N is a supermartingale, and evidence below it is valid at every look.
 *
 * Counts are averages over the devices of a channel and window, hence fractions. One kappa stands in every factor of a
 * product, so that an average of counts in the exponents stays below the average of the devices' own e-values (Jensen).
 */

/** Episodes at one draw rate; fractions welcome. zeros: agreed, or not drawn. open: drawn, without an answer. */
export interface Tally {
  /** Chance with which a disagreement was drawn, in (0, 1]; fixed before the window began. */
  readonly rate: number;
  readonly zeros: number;
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
}
/** One for each rate. */
export type Tallies = readonly Tally[];

/** Bets as shares of the largest, one grid for all rates: see logNonInferiority. */
const BETS = 64;

/**
 * ln H: is the candidate worse by more than `tolerance`? A betting martingale against the null E[d] >= -tolerance: mean over
 * kappa of the product of 1 + lambda (-x - tolerance). Open draws count for the candidate (+1), wins weigh
 * (1+wrong)/(1-wrong).
 * @param options.tolerance share of episodes in (-1, 1); below 0: is it not even so much better? (a unit beside its fleet)
 * @param options.wrong bound on the share of wrong answers, in [0, 1/2)
 */
export function logHarm(
  tallies: Tallies,
  { tolerance, wrong }: { tolerance: number; wrong: number },
): number {
  requireShift('tolerance', tolerance);
  const { wins, losses, open } = stepsOf('harm', wrong);
  return logBets(tallies, { wins: -wins, losses: -losses, open: -open, shift: -tolerance });
}

/**
 * What ln H cannot exceed, in one pass: ln(1 + lambda y) <= lambda y, and lambda is below 1 over the largest loss at its
 * rate. 0 where at every rate the mean step lies within the tolerance.
 */
export function mostHarm(
  tallies: Tallies,
  { tolerance, wrong }: { tolerance: number; wrong: number },
): number {
  requireShift('tolerance', tolerance);
  const { wins: weight } = stepsOf('harm', wrong);
  let most = 0;
  for (const one of tallies) {
    const { mean, episodes } = clusterOf([one], 'harm', wrong);
    most += (episodes * Math.max(0, -mean - tolerance)) / (weight / one.rate + tolerance);
  }
  return most;
}

/**
 * ln M: is the candidate no more than `margin` worse? The same against the null E[d] <= -margin: the product of
 * 1 + lambda (x + margin). Open draws count against the candidate (-1), losses weigh (1+wrong)/(1-wrong).
 * @param options.margin share of episodes in (-1, 1)
 * @param options.wrong bound on the share of wrong answers, in [0, 1/2)
 */
export function logNoWorse(tallies: Tallies, { margin, wrong }: { margin: number; wrong: number }): number {
  requireShift('margin', margin);
  return logBets(tallies, { ...stepsOf('promotion', wrong), shift: margin });
}

/**
 * One cluster's mean step, its mean square, its share of disagreements and what one draw counts, for the random-effects model. `side` tells which
 * way open draws and wrong answers count.
 */
export function clusterOf(tallies: Tallies, side: 'harm' | 'promotion', wrong: number): Cluster {
  for (const one of tallies) requireTally(one);
  const steps = stepsOf(side, wrong);
  let [episodes, sum, squares, disagreements, scale] = [0, 0, 0, 0, 0];
  for (const { rate, zeros, wins, losses, open } of tallies) {
    const here = zeros + wins + losses + open;
    episodes += here;
    scale += here / rate ** 2;
    sum += (wins * steps.wins + losses * steps.losses + open * steps.open) / rate;
    squares += (wins * steps.wins ** 2 + losses * steps.losses ** 2 + open * steps.open ** 2) / rate ** 2;
    disagreements += (wins + losses + open) / rate;
  }
  if (episodes === 0) return { mean: 0, square: 0, episodes, share: 0, step: 1 };
  return {
    mean: sum / episodes,
    square: squares / episodes,
    episodes,
    share: disagreements / episodes,
    step: Math.sqrt(scale / episodes),
  };
}

/** What a drawn disagreement says about d, at rate 1. */
interface Steps {
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
}
function stepsOf(side: 'harm' | 'promotion', wrong: number): Steps {
  if (!(wrong >= 0 && wrong < 0.5))
    throw new RangeError(
      `Cannot weigh answers: the share of wrong ones must be in [0, 1/2): current value is ${wrong}`,
    );
  const weight = (1 + wrong) / (1 - wrong);
  return side === 'harm' ? { wins: weight, losses: -1, open: 1 } : { wins: 1, losses: -weight, open: -1 };
}

/**
 * ln of the mean over kappa of the product of 1 + lambda (x + shift). At rate r the step furthest down is
 * min(wins, losses, open)/r <= -1/r <= -1, below every shift in (-1, 1) and below 0, the step of an agreement; so
 * x + shift >= -(largest loss) with largest loss = |min|/r - shift > 0, and lambda = kappa/(largest loss) keeps every
 * factor at 1 - kappa or more, whatever the sign of the shift. lambda follows from the rate alone: it is predictable.
 */
function logBets(tallies: Tallies, steps: Steps & { shift: number }): number {
  const logs = new Float64Array(BETS);
  for (const counts of tallies) {
    requireTally(counts);
    const { wins, losses, open, zeros } = logsOfFactors(counts.rate, steps);
    for (let i = 0; i < BETS; i++) {
      let sum = logs[i] ?? 0;
      // A factor that would be 0 comes with a count of 0 only, and then it is 1.
      if (counts.wins > 0) sum += counts.wins * (wins[i] ?? 0);
      if (counts.losses > 0) sum += counts.losses * (losses[i] ?? 0);
      if (counts.open > 0) sum += counts.open * (open[i] ?? 0);
      if (counts.zeros > 0) sum += counts.zeros * (zeros[i] ?? 0);
      logs[i] = sum;
    }
  }
  return logMeanExp(logs);
}

interface Factors extends Readonly<Record<keyof Steps | 'zeros', Float64Array>> {
  readonly rate: number;
  readonly steps: Steps & { shift: number };
}
/** A gate asks about a few margins at a few rates, at every look of every slice. */
const MOST_FACTORS = 32;
const factors: Factors[] = [];
let oldest = 0;

/** ln of each bet's factors, which depend on no count: a logarithm costs more than all else of a look. */
function logsOfFactors(rate: number, steps: Steps & { shift: number }): Factors {
  for (const one of factors)
    if (
      one.rate === rate &&
      one.steps.shift === steps.shift &&
      one.steps.wins === steps.wins &&
      one.steps.losses === steps.losses &&
      one.steps.open === steps.open
    )
      return one;
  const { wins, losses, open, shift } = steps;
  const largest = -Math.min(wins, losses, open) / rate - shift;
  const of = (step: number) =>
    Float64Array.from({ length: BETS }, (_, i) => Math.log1p(((i + 0.5) / BETS / largest) * (step + shift)));
  const made = {
    rate,
    steps,
    wins: of(wins / rate),
    losses: of(losses / rate),
    open: of(open / rate),
    zeros: of(0),
  };
  factors[oldest] = made;
  oldest = (oldest + 1) % MOST_FACTORS;
  return made;
}

function requireShift(name: string, value: number): void {
  if (!(value > -1 && value < 1))
    throw new RangeError(`Cannot weigh evidence: the ${name} must be in (-1, 1): current value is ${value}`);
}
function isCount(value: number): boolean {
  return value >= 0 && value < Number.POSITIVE_INFINITY;
}
function requireTally({ rate, zeros, wins, losses, open }: Tally): void {
  if (!(rate > 0 && rate <= 1))
    throw new RangeError(`Cannot weigh drawn answers: the rate must be in (0, 1]: current value is ${rate}`);
  if (!(isCount(zeros) && isCount(wins) && isCount(losses) && isCount(open)))
    throw new RangeError(
      `Cannot weigh drawn answers: counts must be finite and from 0: current value is ${[zeros, wins, losses, open].join(', ')}`,
    );
}
