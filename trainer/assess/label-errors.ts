import type { ScoredSample } from '../ports.js';
import { groupBy } from './grouping.js';
import type { Scored } from './ranked.js';

/** A stretch or a picture whose label the model doubts with reason, or that it gets most wrong. */
export interface Doubt {
  readonly sample: ScoredSample;
  /** Pictures like it right beside it: of one scene of a recording, or of one set of near-duplicates. */
  readonly pictures: number;
}

/**
 * The confident joint (Northcutt, Jiang and Chuang 2021): how many pictures of label i the model confidently
 * takes for j, where confident means at least the mean p_j of the pictures that are labelled j. Rows are the
 * labels, content = 0, ad = 1; null where a class is missing. Reference: cleanlab's compute_confident_joint
 * without calibration.
 */
export function confidentJoint(
  scored: readonly Scored[],
): readonly [readonly [number, number], readonly [number, number]] | null {
  const limits = thresholds(scored);
  if (limits === null) return null;
  const count = (isAd: boolean, taken: 'ad' | 'content') =>
    scored.filter((item) => item.isAd === isAd && confidentClass(item, limits) === taken).length;
  return [
    [count(false, 'content'), count(false, 'ad')],
    [count(true, 'content'), count(true, 'ad')],
  ];
}

/**
 * Likely errors of the labels: off the diagonal of the confident joint, the surest first, one of each scene.
 */
export function likelyLabelErrors(scored: readonly ScoredSample[], most: number): Doubt[] {
  const limits = thresholds(scored);
  if (limits === null) return [];
  const doubted = scored.filter((sample) => {
    const taken = confidentClass(sample, limits);
    return taken !== null && (taken === 'ad') !== sample.isAd;
  });
  return oneOfEachScene(doubted).slice(0, most);
}

/** What the model calls wrongly at one half, the surest first, one of each scene. */
export function worstMistakes(scored: readonly ScoredSample[], most: number): Doubt[] {
  return oneOfEachScene(scored.filter(({ isAd, probability }) => probability >= 0.5 !== isAd)).slice(0, most);
}

function thresholds(scored: readonly Scored[]): { ad: number; content: number } | null {
  const ads = scored.filter(({ isAd }) => isAd);
  const content = scored.filter(({ isAd }) => !isAd);
  if (ads.length === 0 || content.length === 0) return null;
  return {
    ad: ads.reduce((sum, { probability }) => sum + probability, 0) / ads.length,
    content: content.reduce((sum, { probability }) => sum + 1 - probability, 0) / content.length,
  };
}

function confidentClass(
  { probability }: Scored,
  limits: { ad: number; content: number },
): 'ad' | 'content' | null {
  const [ad, content] = [probability >= limits.ad, 1 - probability >= limits.content];
  if (ad && content) return probability > 0.5 ? 'ad' : 'content';
  if (ad) return 'ad';
  return content ? 'content' : null;
}

/** Frames so far apart in one recording, seconds, are two scenes. */
const SCENE_GAP = 5;

function oneOfEachScene(samples: readonly ScoredSample[]): Doubt[] {
  const scenes = [...groupBy(samples, (sample) => `${sample.group}\n${sample.isAd}`).values()].flatMap(
    scenesOf,
  );
  return scenes
    .map((scene) => ({
      sample: scene.reduce((worst, one) => (wrongness(one) > wrongness(worst) ? one : worst)),
      pictures: scene.length,
    }))
    .sort((a, b) => wrongness(b.sample) - wrongness(a.sample));
}

/** Pictures of one group and label; of a recording those that follow each other. At least one in each. */
function scenesOf(samples: readonly ScoredSample[]): [ScoredSample, ...ScoredSample[]][] {
  const sorted = samples.toSorted((a, b) => (a.picture.at ?? 0) - (b.picture.at ?? 0));
  const scenes: [ScoredSample, ...ScoredSample[]][] = [];
  for (const sample of sorted) {
    const open = scenes.at(-1);
    const last = open?.at(-1);
    if (open !== undefined && last !== undefined && isBeside(last, sample)) open.push(sample);
    else scenes.push([sample]);
  }
  return scenes;
}

function isBeside({ picture: a }: ScoredSample, { picture: b }: ScoredSample): boolean {
  if (a.at === null || b.at === null) return true;
  return a.path === b.path && b.at - a.at <= SCENE_GAP;
}

function wrongness({ isAd, probability }: ScoredSample): number {
  return isAd ? 1 - probability : probability;
}
