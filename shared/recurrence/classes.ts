import type { Spot } from '../contract/labelling.js';
import { isOwn, type Standing } from './context.js';
import { lengthOf } from './occurrences.js';
import type { Group } from './spots.js';
import type { Track } from './track.js';
import type { Alike } from './verify.js';

export type Known = Pick<Spot, 'class' | 'confidence' | 'why'>;

/** No advertisement is longer, seconds; outside of a break nothing that is as long as half of it. */
const LONGEST_SPOT = 125;
const LONG = 60;
/** What is no longer than this, seconds, and no advertisement, is an ident. */
const IDENT = 8;
/** Sounds with fewer bits alike are two. */
const SAME_SOUND = 0.62;
/** So many seconds must have been heard to say so. */
const HEARD = 3;
/** A gap so near to a border, seconds, is beside it. */
const BESIDE = 0.3;

/** What kind of material it is, how surely, and why: rules, the first that holds. */
export function classOf({ airings }: Group, standing: Standing, isReplay: boolean): Known {
  const count = airings.length;
  const { inBreaks, atEdges } = standing;
  const length = airings.map(lengthOf).sort((a, b) => a - b)[count >> 1] ?? 0;
  const times = `${count} airings of ${length.toFixed(0)} s`;
  if (length > LONGEST_SPOT) return known('repeat', 0.98, `${times}: no advertisement is so long`);
  const own = length <= IDENT ? 'ident' : 'trailer';
  const outside = count - inBreaks;
  if (isReplay)
    return known('replay', share(outside, count), `${times}: the same pictures with another sound`);
  if (isOwn(standing))
    return known(
      own,
      1 / (1 + Math.exp(-standing.ownOdds)),
      `${times}, first or last in ${atEdges} of ${inBreaks} breaks: the channel's own`,
    );
  if (2 * inBreaks >= count)
    return known('spot', share(inBreaks, count), `${times}, ${inBreaks} of them among others in breaks`);
  return known(
    length > LONG ? 'repeat' : own,
    share(outside, count),
    `${times}, ${outside} of them outside of breaks`,
  );
}

function known(kind: Known['class'], confidence: number, why: string): Known {
  return { class: kind, confidence: Math.round(1000 * confidence) / 1000, why };
}

/** By Laplace's rule of succession. */
function share(some: number, all: number): number {
  return (some + 1) / (all + 2);
}

/** The same pictures with another sound, and nothing black and silent beside most of them, as beside advertisements. */
export function isReplayed({ airings }: Group, looks: readonly Alike[], tracks: readonly Track[]): boolean {
  const seconds = looks.reduce((sum, one) => sum + one.heard, 0);
  const sound = looks.reduce((sum, one) => sum + one.heard * one.sound, 0) / Math.max(1, seconds);
  if (seconds < HEARD || sound >= SAME_SOUND) return false;
  const besideGaps = airings.filter(({ recording, start, end }) =>
    tracks[recording]?.gaps.some((gap) => isNear(gap.end, start) || isNear(gap.start, end)),
  );
  return 2 * besideGaps.length < airings.length;
}

function isNear(border: number, time: number): boolean {
  return Math.abs(border - time) <= BESIDE;
}
