import type { Match, Place } from './match.js';
import {
  byPlace,
  divided,
  isOne,
  lengthOf,
  type Occurrence,
  occurrencesOf,
  overlapOf,
  PlaceIndex,
} from './occurrences.js';

/** What airs again and again: places in order, and the matches between them. */
export interface Group {
  readonly airings: readonly Airing[];
  readonly matches: readonly Match[];
}
export interface Airing extends Place {
  /** 0 to 1: that it is the same material. */
  readonly confidence: number;
}

/** Longer than nearly all advertisements, seconds: what lies within is no shorter cut of it. */
const LONG = 65;
/** So much of a stretch within another is that other's, and not its own. */
const NESTED = 0.8;
/** A shorter cut of a spot is at least so much of it; less is a jingle or an end card that several share. */
const CUT_DOWN = 0.3;
/** Odds, nats, at which it is as likely as not, and how fast that grows. */
const EVEN = 6;
const PACE = 6;

/**
 * Puts matches together to what airs: stretches that overlap are one place, places that are the same material one spot. A
 * stretch within a longer one is part of that, and where it airs alone, a shorter cut of the same spot.
 */
export function groupsOf(found: readonly Match[]): Group[] {
  const matches = divided(found);
  const all = occurrencesOf(matches);
  // A programme that is repeated with its breaks has its spots in it, and they are spots all the same.
  const isLong = (one: Occurrence) => lengthOf(one) > LONG;
  const outer = [...withoutNested(all.filter(isLong)), ...withoutNested(all.filter((one) => !isLong(one)))];
  const index = new PlaceIndex(outer);
  const parents = new Map<Occurrence, Occurrence>();
  const rootOf = (one: Occurrence): Occurrence => {
    const parent = parents.get(one);
    if (parent === undefined || parent === one) return one;
    const root = rootOf(parent);
    parents.set(one, root);
    return root;
  };
  const links: { match: Match; a: Occurrence; b: Occurrence }[] = [];
  for (const match of matches) {
    const [a, b] = [homeOf(match.a, index), homeOf(match.b, index)];
    if (a === null || b === null || a === b || !isWorth(match, a, b)) continue;
    links.push({ match, a, b });
    parents.set(rootOf(a), rootOf(b));
  }
  const groups = new Map<Occurrence, { places: Map<Occurrence, number>; matches: Match[] }>();
  for (const { match, a, b } of links) {
    const root = rootOf(a);
    const group = groups.get(root) ?? { places: new Map<Occurrence, number>(), matches: [] };
    groups.set(root, group);
    group.matches.push(match);
    for (const place of [a, b]) group.places.set(place, Math.max(group.places.get(place) ?? 0, match.score));
  }
  return [...groups.values()]
    .map(({ places, matches: own }) => ({
      airings: [...places].map(([place, score]) => airingOf(place, score)).sort(byPlace),
      matches: own,
    }))
    .sort((x, y) => firstOf(x, y));
}

function firstOf(x: Group, y: Group): number {
  const [a, b] = [x.airings[0], y.airings[0]];
  return a === undefined || b === undefined ? 0 : byPlace(a, b);
}

function airingOf({ recording, start, end }: Occurrence, score: number): Airing {
  return { recording, start, end, confidence: 1 / (1 + Math.exp((EVEN - score) / PACE)) };
}

/** Places of which no other has most; of two that overlap by half the one that more matches mean. */
function withoutNested(all: readonly Occurrence[]): Occurrence[] {
  const kept: Occurrence[] = [];
  const ordered = [...all].sort((a, b) => weightOf(b) - weightOf(a));
  for (const one of ordered) {
    const covers = kept.some(
      (other) => overlapOf(one, other) > 0.5 * Math.min(lengthOf(one), lengthOf(other)),
    );
    if (!covers) kept.push(one);
  }
  return kept;
}

/** What is longer and meant by more matches is likelier to be the whole. */
function weightOf(one: Occurrence): number {
  return lengthOf(one) * (1 + Math.log(one.support));
}

/** The place that a stretch belongs to: the same, or one that has nearly all of it. */
function homeOf(place: Place, index: PlaceIndex): Occurrence | null {
  let best: Occurrence | null = null;
  for (const one of index.around(place)) {
    if (!isOne(one, place) && overlapOf(one, place) < NESTED * lengthOf(place)) continue;
    if (best === null || likeness(one, place) > likeness(best, place)) best = one;
  }
  return best;
}

/** Intersection over union. */
function likeness(a: Place, b: Place): number {
  const overlap = overlapOf(a, b);
  return overlap / (lengthOf(a) + lengthOf(b) - overlap);
}

/** Two places are one spot where the match has most of both, or all of the shorter and enough of the longer. */
function isWorth(match: Match, a: Occurrence, b: Occurrence): boolean {
  const [ofA, ofB] = [overlapOf(match.a, a) / lengthOf(a), overlapOf(match.b, b) / lengthOf(b)];
  return Math.max(ofA, ofB) >= NESTED && Math.min(ofA, ofB) >= CUT_DOWN;
}
