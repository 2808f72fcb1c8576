import type { Spot } from '@adbreak/shared/contract/labelling.js';

/** A stretch of one recording, seconds. */
export interface Place {
  readonly recording: string;
  readonly start: number;
  readonly end: number;
}

/** A new scan may date an airing a little otherwise; further off than this it is another, seconds. */
const NEAR = 0.5;

const isAt = (place: Place, airing: Place): boolean =>
  airing.recording === place.recording &&
  Math.abs(airing.start - place.start) <= NEAR &&
  Math.abs(airing.end - place.end) <= NEAR;

/** Whether a place is an airing of any spot. */
export const isAiring = (spots: readonly Spot[], place: Place): boolean =>
  spots.some((spot) => spot.airings.some((airing) => isAt(place, airing)));

/** The spot with that id, if the place is one of its airings: else the id comes from another scan. */
export const spotAt = (spots: readonly Spot[], id: string, place: Place): Spot | null =>
  spots.find((spot) => spot.id === id && spot.airings.some((airing) => isAt(place, airing))) ?? null;

/** S1, S2 … in the order in which spots air first; recordings follow one another as the page lists them. */
export function spotNames(spots: readonly Spot[], recordings: readonly string[]): Map<string, string> {
  const ranks = new Map(recordings.map((id, i) => [id, i]));
  const rankOf = ({ recording }: Place) => ranks.get(recording) ?? recordings.length;
  const order = (a: Place, b: Place) => rankOf(a) - rankOf(b) || a.start - b.start;
  const firsts = spots.flatMap(({ id, airings }) =>
    airings
      .toSorted(order)
      .slice(0, 1)
      .map((at) => ({ id, at })),
  );
  return new Map(firsts.toSorted((a, b) => order(a.at, b.at)).map(({ id }, i) => [id, `S${i + 1}`]));
}
