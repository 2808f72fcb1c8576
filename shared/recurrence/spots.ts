import { UnionFind } from '../union-find.js';
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
  const links = matches.flatMap((match): Link[] => {
    const [a, b] = [homeOf(match.a, index), homeOf(match.b, index)];
    return a === null || b === null || a === b || !isWorth(match, a, b) ? [] : [{ match, a, b }];
  });
  return joined(outer, links).map(groupOf).sort(firstOf);
}

/** A match, and the places that it says are one spot. */
interface Link {
  readonly match: Match;
  readonly a: Occurrence;
  readonly b: Occurrence;
}

/** Links that hang together. */
function joined(places: readonly Occurrence[], links: readonly Link[]): Link[][] {
  const numbers = new Map(places.map((place, i) => [place, i]));
  const numberOf = (place: Occurrence) => numbers.get(place) ?? 0;
  const sets = new UnionFind(places.length);
  for (const { a, b } of links) sets.union(numberOf(a), numberOf(b));
  const groups = new Map<number, Link[]>();
  for (const link of links) {
    const root = sets.find(numberOf(link.a));
    const own = groups.get(root);
    if (own === undefined) groups.set(root, [link]);
    else own.push(link);
  }
  return [...groups.values()];
}

function groupOf(links: readonly Link[]): Group {
  const scores = new Map<Occurrence, number>();
  for (const { match, a, b } of links)
    for (const place of [a, b]) scores.set(place, Math.max(scores.get(place) ?? 0, match.score));
  return {
    airings: [...scores].map(([place, score]) => airingOf(place, score)).sort(byPlace),
    matches: links.map(({ match }) => match),
  };
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
