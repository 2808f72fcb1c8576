import type { Random } from '@adbreak/shared/random.js';
import type { ScoredSample } from '../../ports.js';

interface Part {
  readonly seconds: number;
  readonly isAd: boolean;
  /** p(ad) of its frames. */
  readonly says: number;
}

/** A recording of parts, two frames a second, as a split has it. */
export function recording(name: string, parts: readonly Part[], start = 0): ScoredSample[] {
  let time = start;
  return parts.flatMap(({ seconds, isAd, says }) =>
    Array.from({ length: seconds * 2 }, () => {
      const at = time;
      time += 0.5;
      return sample({ isAd, probability: says, group: name, picture: { path: `${name}.mkv`, at } });
    }),
  );
}

/** A single picture, unless it is said to be a frame. */
export function sample(what: Partial<ScoredSample> & { isAd: boolean; probability: number }): ScoredSample {
  return {
    group: 'one',
    source: what.group ?? 'one',
    picture: { path: 'picture.jpg', at: null },
    uncalibrated: what.probability,
    ...what,
  };
}

/** Pictures in groups of `size`; a group's pictures have one truth and nearly one score, as scenes do. */
export function scenes(random: Random, groups: number, size: number): ScoredSample[] {
  return Array.from({ length: groups }, (_, group) => {
    const isAd = random.uniform() < 0.5;
    const z = (isAd ? 1 : -1) + random.normal();
    return Array.from({ length: size }, (__, i) =>
      sample({
        isAd,
        probability: 1 / (1 + Math.exp(-z - 0.05 * random.normal())),
        group: `scene ${group}`,
        source: group % 2 === 0 ? 'even' : 'odd',
        picture: { path: `${group}-${i}.jpg`, at: null },
      }),
    );
  }).flat();
}
