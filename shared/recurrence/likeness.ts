import type { Kept } from './memory.js';
import type { PictureWord } from './picture.js';
import type { SoundWord } from './sound.js';
import { disagreement } from './words.js';

/** Logarithms of odds that two moments are the same material, nats. */
export interface Evidence {
  readonly odds: number;
  /** What of it came from sound, and what from the picture. */
  readonly sound: number;
  readonly picture: number;
  /** Neither could say anything. */
  readonly isBlind: boolean;
}

export const NOTHING: Evidence = { odds: 0, sound: 0, picture: 0, isBlind: true };

/** The disagreement at which neither is likelier, the odds for each unit from there, and the most for and against. */
interface Scale {
  readonly even: number;
  readonly slope: number;
  readonly most: number;
  readonly least: number;
}
const SOUND: Scale = { even: 0.34, slope: 14, most: 2.5, least: -1 };
const PICTURE: Scale = { even: 0.25, slope: 16, most: 3, least: -3 };

/** A second that was kept, and what is asked about it. */
export function evidenceOf(
  kept: Kept,
  sound: SoundWord | undefined,
  picture: PictureWord | undefined,
): Evidence {
  const [heard, seen] = [soundOdds(kept, sound), pictureOdds(kept, picture)];
  return {
    odds: (heard ?? 0) + (seen ?? 0),
    sound: heard ?? 0,
    picture: seen ?? 0,
    // What stands still and lasts says nothing more: a test card is like itself all night.
    isBlind: (heard === null || heard === 0) && (seen === null || seen === 0),
  };
}

function soundOdds({ sound, soundNews }: Kept, word: SoundWord | undefined): number | null {
  if (sound === null || word === undefined || word.isSilent) return null;
  return odds(SOUND, disagreement(word, sound, 0), soundNews);
}

function pictureOdds(
  { low, high, hasPicture, pictureNews }: Kept,
  word: PictureWord | undefined,
): number | null {
  if (!hasPicture || word === undefined || word.isFlat) return null;
  return odds(PICTURE, disagreement(word, low, high), pictureNews);
}

/** What stands still says it once: agreement counts as news, contradiction always. */
function odds({ even, slope, most, least }: Scale, wrong: number, news: number): number {
  const value = slope * (even - wrong);
  return value > 0 ? Math.min(most, value) * news : Math.max(least, value);
}
