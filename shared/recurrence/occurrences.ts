import { firstIndex } from '../bisect.js';
import { SHORTEST } from './finder.js';
import { type Match, mappedBy, type Place, partOf } from './match.js';

/** A stretch of a recording that was found elsewhere too, by all the matches that mean it. */
export interface Occurrence extends Place {
  /** How many matches end here. */
  readonly support: number;
}

/** Stretches of so much overlap (intersection over union) are one. */
const ONE = 0.8;
/** A stretch is made of others when they cover so much of it. */
const TILED = 0.85;
/** So far a tile may stick out, seconds. */
const STICKS_OUT = 0.5;
/** Splitting makes borders that split others; so often is enough for any break that was seen. */
const ROUNDS = 4;

export function overlapOf(a: Place, b: Place): number {
  if (a.recording !== b.recording) return 0;
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}
export function lengthOf({ start, end }: Place): number {
  return end - start;
}
export function isOne(a: Place, b: Place): boolean {
  const overlap = overlapOf(a, b);
  return overlap >= ONE * (lengthOf(a) + lengthOf(b) - overlap);
}

/** All stretches that matches mean, in the order of place; those that are nearly the same are one. */
export function occurrencesOf(matches: readonly Match[]): Occurrence[] {
  const places = matches.flatMap(({ a, b }) => [a, b]).sort(byPlace);
  const groups: Place[][] = [];
  let open: Place[][] = [];
  for (const place of places) {
    open = open.filter(([first]) => first !== undefined && overlapOf(first, place) > 0);
    const own = open.find(([first]) => first !== undefined && isOne(first, place));
    if (own !== undefined) own.push(place);
    else {
      const group = [place];
      groups.push(group);
      open.push(group);
    }
  }
  return groups.map(middleOf).sort(byPlace);
}

function middleOf(group: readonly Place[]): Occurrence {
  const middle = (values: number[]) => values.sort((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;
  return {
    recording: group[0]?.recording ?? 0,
    start: middle(group.map(({ start }) => start)),
    end: middle(group.map(({ end }) => end)),
    support: group.length,
  };
}

export function byPlace(a: Place, b: Place): number {
  return a.recording - b.recording || a.start - b.start || a.end - b.end;
}

/**
 * Matches of several spots at once (two that aired one after the other, twice) divided where others say that there are
 * two: a stretch that is made of others is no spot of its own.
 */
export function divided(matches: readonly Match[]): Match[] {
  let all = [...matches];
  for (let round = 0; round < ROUNDS; round++) {
    const index = new PlaceIndex(occurrencesOf(all));
    let changed = false;
    const next: Match[] = [];
    for (const match of all) {
      const pieces = dividedOnce(match, index);
      changed ||= pieces.length !== 1;
      next.push(...pieces);
    }
    all = next;
    if (!changed) break;
  }
  return all;
}

/** By what one of its places is made of; itself where neither is. */
function dividedOnce(match: Match, index: PlaceIndex): Match[] {
  const ofA = tilesOf(match.a, index);
  if (ofA !== null) return piecesOf(match, ofA);
  const ofB = tilesOf(match.b, index);
  return ofB === null ? [match] : piecesOf(turned(match), ofB).map(turned);
}

function turned(match: Match): Match {
  return { ...match, a: match.b, b: match.a };
}

/** The stretches that a place is made of, at least two; null where it is one itself. */
function tilesOf(place: Place, index: PlaceIndex): Place[] | null {
  const within = index
    .around(place)
    .filter(
      (one) =>
        !isOne(one, place) &&
        one.start >= place.start - STICKS_OUT &&
        one.end <= place.end + STICKS_OUT &&
        lengthOf(one) < TILED * lengthOf(place),
    );
  const chosen = heaviest(within);
  const covered = chosen.reduce((sum, one) => sum + overlapOf(one, place), 0);
  return chosen.length >= 2 && covered >= TILED * lengthOf(place) ? chosen : null;
}

/** Of places in order those without overlap that cover most. */
function heaviest(places: readonly Place[]): Place[] {
  const best: { covered: number; last: number; before: number }[] = [];
  const sorted = [...places].sort((a, b) => a.end - b.end);
  sorted.forEach((place, i) => {
    let [before, covered] = [-1, 0];
    for (let j = 0; j < i; j++) {
      const other = sorted[j];
      const known = best[j];
      if (other === undefined || known === undefined || other.end > place.start + STICKS_OUT) continue;
      if (known.covered > covered) [before, covered] = [j, known.covered];
    }
    best.push({ covered: covered + lengthOf(place), last: i, before });
  });
  const chosen: Place[] = [];
  let at = best.reduce((most, { covered, last }) => (covered > (best[most]?.covered ?? 0) ? last : most), 0);
  while (at >= 0) {
    const place = sorted[at];
    if (place === undefined) break;
    chosen.unshift(place);
    at = best[at]?.before ?? -1;
  }
  return chosen;
}

function piecesOf(match: Match, tiles: readonly Place[]): Match[] {
  const { a } = match;
  const there = mappedBy(match);
  return tiles.flatMap((tile) => {
    const [start, end] = [Math.max(tile.start, a.start), Math.min(tile.end, a.end)];
    return end - start < SHORTEST
      ? []
      : [partOf(match, { start, end }, { start: there(start), end: there(end) })];
  });
}

/** Places in order, to ask for those near one. */
export class PlaceIndex<P extends Place = Occurrence> {
  readonly #places: readonly P[];
  readonly #longest: number;

  constructor(places: readonly P[]) {
    this.#places = [...places].sort(byPlace);
    this.#longest = places.reduce((most, place) => Math.max(most, lengthOf(place)), 0);
  }

  /** Those that overlap with a place. */
  around(place: Place): P[] {
    const found: P[] = [];
    const from = {
      recording: place.recording,
      start: place.start - this.#longest,
      end: Number.NEGATIVE_INFINITY,
    };
    const low = firstIndex(this.#places.length, (i) => {
      const one = this.#places[i];
      return one !== undefined && byPlace(one, from) >= 0;
    });
    for (let i = low; i < this.#places.length; i++) {
      const one = this.#places[i];
      if (one === undefined || one.recording !== place.recording || one.start >= place.end) break;
      if (overlapOf(one, place) > 0) found.push(one);
    }
    return found;
  }
}
