import type { Recurrence } from '@adbreak/shared/contract/labelling.js';
import type { TrueAiring, TrueItem, Truth } from '../truth.js';

/** A found airing and a true one are the same when their common part is at least this share of both together. */
export const SAME = 0.8;
/** Shorter ones nobody promises to find. */
export const PROMISED_SECONDS = 4;

export type FoundSpot = Recurrence['spots'][number];
export type FoundAiring = Recurrence['spots'][number]['airings'][number];

interface Stretch {
  readonly recording: string;
  readonly start: number;
  readonly end: number;
}

/** Common part over both together, of stretches of one recording; 0 in different ones. */
export function iou(a: Stretch, b: Stretch): number {
  if (a.recording !== b.recording) return 0;
  const common = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  return common <= 0 ? 0 : common / (Math.max(a.end, b.end) - Math.min(a.start, b.start));
}

/** What a found airing turned out to be. */
export interface Judged {
  readonly spot: FoundSpot;
  readonly airing: FoundAiring;
  /** The true airing at its place; null: none is. */
  readonly truth: { readonly item: TrueItem; readonly airing: TrueAiring } | null;
  /**
   * right: at its place, and in the one cluster that its item has. optional: a true airing that nobody promises to find.
   * split: at its place, in a cluster that another is before. merged: among airings of another family. nowhere: nothing
   * that airs is just there.
   */
  readonly verdict: 'right' | 'optional' | 'split' | 'merged' | 'nowhere' | 'twice';
}

/** Names of files, as a scan and a truth may give them with other folders. */
const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Whether it must be found: one of several airings of this very version, whole, and long enough. */
export function isPromised(item: TrueItem, airing: TrueAiring): boolean {
  return airing.end - airing.start >= PROMISED_SECONDS && !airing.isCut && wholeAirings(item) >= 2;
}

export const wholeAirings = (item: TrueItem) => item.airings.filter(({ isCut }) => !isCut).length;

/** Says of each found airing what it is, by the best matching of clusters and items. */
export function judge(found: Recurrence, truth: Truth): Judged[] {
  const places = found.spots.flatMap((spot) =>
    spot.airings.map((airing) => ({ spot, airing, truth: placeOf(airing, truth) })),
  );
  const familyOf = most(places, ({ spot, truth: at }) => at && [spot.id, at.item.family]);
  const clusterOf = most(places, ({ spot, truth: at }) =>
    at !== null && familyOf.get(spot.id) === at.item.family ? [at.item.id, spot.id] : null,
  );
  // That something recurs is a claim: of one airing of a family alone, beside others' or beside nothing, it is wrong.
  const ofFamily = (spot: FoundSpot) =>
    places.filter((one) => one.spot === spot && one.truth?.item.family === familyOf.get(spot.id)).length;
  const taken = new Set<TrueAiring>();
  return places.map((place): Judged => {
    const { spot, truth: at } = place;
    if (at === null) return { ...place, verdict: 'nowhere' };
    if (familyOf.get(spot.id) !== at.item.family) return { ...place, verdict: 'merged' };
    if (taken.has(at.airing)) return { ...place, verdict: 'twice' };
    const isOwn = clusterOf.get(at.item.id) === spot.id;
    if (isOwn) taken.add(at.airing);
    if (isPromised(at.item, at.airing)) return { ...place, verdict: isOwn ? 'right' : 'split' };
    const kept = ofFamily(spot) < 2 ? 'merged' : 'optional';
    return { ...place, verdict: isOwn ? kept : 'split' };
  });
}

/** Of all true airings there, the one that fits best. */
function placeOf(found: FoundAiring, { items }: Truth): Judged['truth'] {
  const recording = nameOf(found.recording);
  let best: Judged['truth'] = null;
  let most = SAME;
  for (const item of items)
    for (const airing of item.airings) {
      const fit = iou({ ...found, recording }, airing);
      if (fit < most) continue;
      best = { item, airing };
      most = fit;
    }
  return best;
}

/** For each first name the second that comes with it most often; among equals the one that came first. */
function most<T>(
  list: readonly T[],
  pair: (one: T) => readonly [string, string] | null,
): Map<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const one of list) {
    const names = pair(one);
    if (names === null) continue;
    const [key, value] = names;
    const of = counts.get(key) ?? new Map<string, number>();
    counts.set(key, of.set(value, (of.get(value) ?? 0) + 1));
  }
  const best = (of: Map<string, number>) => [...of].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  return new Map([...counts].map(([key, of]) => [key, best(of)]));
}
