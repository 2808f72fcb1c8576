import { type Match, mappedBy, nearest } from './match.js';
import { SOUND_WORDS } from './sound.js';
import type { Track } from './track.js';

/** How alike two places are, looked at picture by picture. */
export interface Alike {
  /** Share of bits that sounds have alike; 1/2 for any two. */
  readonly sound: number;
  /** Seconds that both were heard. */
  readonly heard: number;
  /** Share of pictures that are the same. */
  readonly picture: number;
  /** Pictures that said something. */
  readonly seen: number;
  /** Pictures among them that were not like those before: a shot that stands still is one. */
  readonly distinct: number;
  /** Cuts of both, and how many of them the other has at the same time. */
  readonly cuts: number;
  readonly cutsShared: number;
}

/** Bits of 63 up to which two pictures are the same, whatever happened on the way. */
const SAME = 14;
/** Cuts of the same material are so many pictures apart at most: one may have been lost. */
const CUT_OFF = 3;
/** Bits in which a picture is another than the last that counted. */
const OTHER = 8;
/** Nearer to a border than this, seconds, a cut may be the border. */
const BORDER = 0.3;
const SAMPLE = 240;

export function alike(a: Track, b: Track, match: Match): Alike {
  return { ...soundAlike(a, b, match), ...pictureAlike(a, b, match), ...cutsAlike(a, b, match) };
}

/**
 * Whether it is the same material: most pictures are the same, and what moves does it at the same time: the sound, or the
 * cuts. Two scenes in one studio have the pictures alone, two spots with one jingle the sound alone.
 */
export function isSameMaterial({ sound, heard, picture, seen, distinct, cuts, cutsShared }: Alike): boolean {
  const sameSound = heard >= 3 && sound >= 0.66;
  const otherCuts = cuts >= 3 && cutsShared < 0.4 * cuts;
  const sameCuts = cuts >= 4 && cutsShared >= 0.7 * cuts;
  if (seen < 20) return sameSound && sound >= 0.75;
  if (picture < 0.6 || otherCuts) return false;
  return sameSound || (sameCuts && picture >= 0.75) || (picture >= 0.97 && distinct >= 5);
}

type Places = Pick<Match, 'a' | 'b'>;

function soundAlike(a: Track, b: Track, places: Places): Pick<Alike, 'sound' | 'heard'> {
  const map = mappedBy(places);
  let [bits, count] = [0, 0];
  const [from, to] = [places.a.start, places.a.end].map((time) => Math.round(time * SOUND_WORDS));
  for (let hop = from ?? 0; hop < (to ?? 0); hop++) {
    const least = a.leastSoundApart(hop, b, Math.round(map(hop / SOUND_WORDS) * SOUND_WORDS));
    if (least === null) continue;
    bits += least;
    count += 1;
  }
  return { sound: count === 0 ? 0.5 : 1 - bits / (32 * count), heard: count / SOUND_WORDS };
}

function pictureAlike(a: Track, b: Track, places: Places): Pick<Alike, 'picture' | 'seen' | 'distinct'> {
  const map = mappedBy(places);
  const [from, to] = [a.at(places.a.start), a.at(places.a.end)];
  const step = Math.max(1, Math.floor((to - from) / SAMPLE));
  let [same, seen, distinct] = [0, 0, 0];
  let last: number | null = null;
  for (let index = from; index < to; index += step) {
    const least = a.leastApart(index, b, b.at(map(a.time(index) + a.period / 2)));
    if (least === null) continue;
    seen += 1;
    if (least <= SAME) same += 1;
    if (last !== null && (a.apart(index, a, last) ?? 0) < OTHER) continue;
    distinct += 1;
    last = index;
  }
  return { picture: seen === 0 ? 0 : same / seen, seen, distinct };
}

function cutsAlike(a: Track, b: Track, places: Places): Pick<Alike, 'cuts' | 'cutsShared'> {
  const map = mappedBy(places);
  const within = (track: Track, start: number, end: number) =>
    track.cuts.filter((time) => time > start + BORDER && time < end - BORDER);
  const [own, other] = [within(a, places.a.start, places.a.end), within(b, places.b.start, places.b.end)];
  const off = CUT_OFF * Math.max(a.period, b.period);
  const mapped = own.map(map);
  const shared = mapped.filter((time) => nearest(other, time, off).length > 0).length;
  const back = other.filter((time) => nearest(mapped, time, off).length > 0).length;
  return { cuts: own.length + other.length, cutsShared: shared + back };
}
