import { beta, binomial } from '@adbreak/shared/draws.js';
import { differenceInterval, fleetShare, momentsOf } from '@adbreak/shared/evidence/intervals.js';
import { seeded } from '@adbreak/shared/random.js';

const DEVICES = 20;
const EPISODES = 60;
const CORRELATION = 0.1;
const PRODUCTION = 0.82;
const CANDIDATE = 0.85;

/** How often the intervals of a federated round hold the truth, nominal 95 %: of a share, of the difference, and of the share as if episodes were independent (Wilson, for comparison). */
export function coverage(
  runs: number,
  seed: string,
): { readonly share: number; readonly difference: number; readonly pooled: number } {
  const random = seeded(`coverage/${seed}`);
  const strength = 1 / CORRELATION - 1;
  const own = (mean: number) =>
    binomial(random, EPISODES, beta(random, mean * strength, (1 - mean) * strength));
  const held = { share: 0, difference: 0, pooled: 0 };
  for (let run = 0; run < runs; run++) {
    const devices = Array.from({ length: DEVICES }, () => ({
      production: own(PRODUCTION),
      candidate: own(CANDIDATE),
    }));
    const share = fleetShare(devices.map(({ candidate }) => ({ right: candidate, episodes: EPISODES })));
    const difference = differenceInterval(
      momentsOf(devices.map(({ production, candidate }) => ({ n: EPISODES, x: candidate - production }))),
    );
    const [n, z] = [DEVICES * EPISODES, 1.96];
    const centre = (share.micro + (z * z) / (2 * n)) / (1 + (z * z) / n);
    const half =
      (z / (1 + (z * z) / n)) * Math.sqrt((share.micro * (1 - share.micro)) / n + (z * z) / (4 * n * n));
    held.share += Number(share.low <= CANDIDATE && CANDIDATE <= share.high);
    held.difference += Number(
      difference.low <= CANDIDATE - PRODUCTION && CANDIDATE - PRODUCTION <= difference.high,
    );
    held.pooled += Number(Math.abs(CANDIDATE - centre) <= half);
  }
  return { share: held.share / runs, difference: held.difference / runs, pooled: held.pooled / runs };
}
