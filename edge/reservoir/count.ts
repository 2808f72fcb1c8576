import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import type { Kept } from './reservoir.js';

/** One labelled episode as both models see it: p(ad), the mean over its frames. */
export interface Judged {
  readonly kept: Kept;
  readonly production: number;
  readonly candidate: number;
}
export type RoundCounts = Pick<RoundReport, 'counts' | 'sources' | 'ageHours'>;

/** A round's counts; pure. One vote an episode and model. */
export function countRound(judged: readonly Judged[], now: Date): RoundCounts {
  const counts = { episodes: 0, productionRight: 0, candidateRight: 0, wins: 0, losses: 0 };
  const sources = { operator: 0, button: 0, rule: 0 };
  for (const { kept, production, candidate } of judged) {
    const truth = kept.label === 'ad';
    const [p, c] = [production >= 0.5 === truth, candidate >= 0.5 === truth];
    counts.episodes += 1;
    counts.productionRight += Number(p);
    counts.candidateRight += Number(c);
    counts.wins += Number(c && !p);
    counts.losses += Number(p && !c);
    sources[kept.source] += 1;
  }
  const ages = judged.map(({ kept }) => Math.max(0, (now.getTime() - Date.parse(kept.at)) / 3_600_000));
  return {
    counts,
    sources,
    ageHours: ages.length === 0 ? null : { youngest: Math.min(...ages), oldest: Math.max(...ages) },
  };
}

/** One episode changes the number of episodes, both models' right ones, and one of wins and losses: this is what a release of all counts costs in units of epsilon. */
export const COST_OF_A_ROUND = 4;

/** Discrete Laplace noise of scale 1/epsilon on every count (Ghosh et al. 2009): the difference of two geometric draws. The sources are left out, since they add up to the truth. */
export function addNoise({ counts }: RoundCounts, epsilon: number, uniform: () => number): RoundCounts {
  const geometric = () => Math.floor(Math.log(1 - uniform()) / -epsilon);
  const noisy = (n: number) => n + geometric() - geometric();
  return {
    counts: {
      episodes: noisy(counts.episodes),
      productionRight: noisy(counts.productionRight),
      candidateRight: noisy(counts.candidateRight),
      wins: noisy(counts.wins),
      losses: noisy(counts.losses),
    },
    sources: { operator: 0, button: 0, rule: 0 },
    ageHours: null,
  };
}
