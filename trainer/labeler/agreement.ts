import type { Agreement } from '@adbreak/shared/contract/labelling.js';
import { controlsFor } from './control.js';
import { agreedOf, segmentsOf } from './final.js';
import type { StandingSpan } from './layers.js';

/** Shorter disagreements are of where a border is, not of what is on. Seconds. */
const SHORTEST_DISPUTE = 0.5;

type Passes = ReadonlyMap<string, readonly StandingSpan[]>;

/** How far labellers agree, over all recordings. */
export function agreementOf(
  labellers: readonly string[],
  recordings: ReadonlyMap<string, Passes>,
  seed: string,
): Agreement {
  const disputes = [...recordings].flatMap(([recording, passes]) =>
    agreedOf(passes)
      .disputes.filter(({ start, end }) => end - start >= SHORTEST_DISPUTE)
      .map((dispute) => ({ recording, ...dispute })),
  );
  const control = labellers.map((labeller) => {
    const answered = controlsFor(labeller, recordings, seed).filter(({ answer }) => answer !== null);
    const right = answered.filter(({ answer, truth }) => answer === truth).length;
    return { labeller, answered: answered.length, right };
  });
  return { pairs: pairsOf(labellers, recordings), control, disputes };
}

function pairsOf(labellers: readonly string[], recordings: ReadonlyMap<string, Passes>): Agreement['pairs'] {
  return labellers.flatMap((a, i) =>
    labellers.slice(i + 1).flatMap((b) => {
      const table = { adAd: 0, adContent: 0, contentAd: 0, contentContent: 0 };
      for (const passes of recordings.values()) count(passes, a, b, table);
      const seconds = table.adAd + table.adContent + table.contentAd + table.contentContent;
      return seconds === 0 ? [] : [{ a, b, seconds, kappa: kappaOf(table) }];
    }),
  );
}

/** Seconds by what the first and what the second of two labellers says. */
export interface Table {
  adAd: number;
  adContent: number;
  contentAd: number;
  contentContent: number;
}

function count(passes: Passes, a: string, b: string, table: Table): void {
  for (const { start, end, says } of segmentsOf(passes)) {
    const [one, other] = [says.get(a)?.label, says.get(b)?.label];
    if (one === undefined || other === undefined) continue;
    const both =
      one === 'ad'
        ? ({ ad: 'adAd', content: 'adContent' } as const)
        : ({ ad: 'contentAd', content: 'contentContent' } as const);
    table[both[other]] += end - start;
  }
}

/** Cohen 1960: agreement beyond what their shares of labels would give by chance; null where one of them used one label alone. */
export function kappaOf({ adAd, adContent, contentAd, contentContent }: Table): number | null {
  const all = adAd + adContent + contentAd + contentContent;
  const [adOfA, adOfB] = [(adAd + adContent) / all, (adAd + contentAd) / all];
  if ([adOfA, adOfB].some((share) => share === 0 || share === 1)) return null;
  const chance = adOfA * adOfB + (1 - adOfA) * (1 - adOfB);
  return ((adAd + contentContent) / all - chance) / (1 - chance);
}
