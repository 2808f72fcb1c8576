import { BINS, binOf, rank, type Scored } from './ranked.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface ReliabilityBin {
  /** Mean p(ad) of its pictures. */
  readonly probability: number;
  /** Share of them that are advertisements. */
  readonly ads: number;
  readonly frames: number;
}

/**
 * x = share of programme called an advertisement, y = share of advertisements called one, from (0, 0) to (1,
 * 1).
 */
export function rocCurve(scored: readonly Scored[]): Point[] {
  const steps = cumulated(scored);
  const last = steps.at(-1);
  if (last === undefined || last.ads === 0 || last.content === 0) return [];
  return [
    { x: 0, y: 0 },
    ...steps.map(({ ads, content }) => ({ x: content / last.content, y: ads / last.ads })),
  ];
}

/** x = recall, y = precision, from recall 0; empty without an advertisement. */
export function precisionRecallCurve(scored: readonly Scored[]): Point[] {
  const steps = cumulated(scored);
  const last = steps.at(-1);
  if (last === undefined || last.ads === 0) return [];
  const points = steps.map(({ ads, content }) => ({ x: ads / last.ads, y: ads / (ads + content) }));
  return [{ x: 0, y: points[0]?.y ?? 1 }, ...points];
}

/**
 * How often what is called p(ad) is an advertisement, by bins of p(ad); bins without a picture are left out.
 */
export function reliability(scored: readonly Scored[]): ReliabilityBin[] {
  const bins = Array.from({ length: BINS }, () => ({ sum: 0, ads: 0, frames: 0 }));
  for (const { probability, isAd } of scored) {
    const bin = bins[binOf(probability)];
    if (bin === undefined) continue;
    bin.sum += probability;
    bin.ads += Number(isAd);
    bin.frames += 1;
  }
  return bins
    .filter(({ frames }) => frames > 0)
    .map(({ sum, ads, frames }) => ({ probability: sum / frames, ads: ads / frames, frames }));
}

/**
 * At most `count` of the points, the first and the last among them: a curve of 10,000 steps is a megabyte of
 * picture.
 */
export function thin(points: readonly Point[], count: number): Point[] {
  if (points.length <= count) return [...points];
  return Array.from(
    { length: count },
    (_, i) => points[Math.round((i * (points.length - 1)) / (count - 1))],
  ).filter((point) => point !== undefined);
}

/** Advertisements and programme at or above each distinct score, from the highest. */
function cumulated(scored: readonly Scored[]): { ads: number; content: number }[] {
  const { probability, isAd } = rank(scored);
  const steps: { ads: number; content: number }[] = [];
  let [ads, content] = [0, 0];
  for (let i = 0; i < probability.length; i++) {
    ads += isAd[i] ?? 0;
    content += 1 - (isAd[i] ?? 0);
    if (probability[i] !== probability[i + 1]) steps.push({ ads, content });
  }
  return steps;
}
