import type { Spot } from '@adbreak/shared/contract/labelling.js';
import type { Found } from '@adbreak/shared/recurrence/scan.js';
import type { Gap, Hint } from '../decide/combined.js';

/** What a class says at most, for each frame: a model that is sure of all of a stretch is still heard. */
const MOST = 2;
/** What a stretch between airings of a break says, which airs once. */
const IN_BREAK = 0.7;

export interface Hints {
  readonly hints: readonly Hint[];
  readonly gaps: readonly Gap[];
}

/** What was found in all recordings, as it speaks of one of them. */
export function hintsFor(recording: string, { recurrence, breaks, gaps }: Found): Hints {
  const airings = recurrence.spots.flatMap((spot) =>
    spot.airings
      .filter((airing) => airing.recording === recording)
      .map(({ start, end }): Hint => ({ start, end, odds: oddsOf(spot) })),
  );
  const inBreaks = breaks
    .filter((one) => one.recording === recording)
    .map(({ start, end }): Hint => ({ start, end, odds: IN_BREAK }));
  return { hints: [...airings, ...inBreaks], gaps: gaps.filter((gap) => gap.recording === recording) };
}

function oddsOf({ class: kind, confidence }: Spot): number {
  const p = Math.min(0.98, Math.max(0.5, confidence));
  const odds = Math.min(MOST, Math.log(p / (1 - p)));
  switch (kind) {
    case 'spot':
      return odds;
    case 'ident':
    case 'trailer':
    case 'replay':
      return -odds;
    // That something long was shown again says nothing of the breaks in it.
    case 'repeat':
      return 0;
  }
}
