import type { Moments } from '../recurrence/moments.js';
import { type PictureWord, PictureWords, THUMB } from '../recurrence/picture.js';
import { SOUND_RATE, type SoundWord, SoundWords } from '../recurrence/sound.js';
import { greyFrames } from './exact.js';
import type { VideoFacts } from './probe.js';

/** Seconds of a recording that are handed over at once. */
const PORTION = 2;
/** Sound that is later than the picture by so many seconds does not come any more: it ended, or has a gap. */
const SOUND_LATE = 30;

/**
 * A recording as fingerprints of each of its pictures and of its sound, at the times that players show, from one
 * ffmpeg. Throws as `frames` does; ends when the signal comes.
 */
export async function* momentsOf(
  source: string,
  { start, hasSound }: VideoFacts,
  signal?: AbortSignal,
): AsyncGenerator<Moments> {
  const [see, listen] = [new PictureWords(), new SoundWords()];
  let sounds: SoundWord[] = [];
  let pictures: PictureWord[] = [];
  let heardUntil = 0;
  const hear = (samples: Float32Array) => {
    const words = listen.push(samples);
    sounds.push(...words);
    heardUntil = words.at(-1)?.time ?? heardUntil;
  };
  const request = {
    source,
    start,
    preprocess: { width: THUMB, height: THUMB, scaler: 'area' as const },
    ...(hasSound && { sound: { rate: SOUND_RATE, hear } }),
  };
  let given = 0;
  let [pictureCount, leftOut] = [0, 0];
  let seenUntil = 0;
  for await (const { time, pixels } of greyFrames(request, signal)) {
    // A clock that goes back, in a stream that was put together: what cannot be in order is left out, and counted.
    if (time <= seenUntil && pictureCount > 0) {
      leftOut += 1;
      continue;
    }
    pictureCount += 1;
    pictures.push(see.push(time, pixels));
    seenUntil = time;
    const until = hasSound ? Math.min(seenUntil, Math.max(heardUntil, seenUntil - SOUND_LATE)) : seenUntil;
    if (until < given + PORTION) continue;
    given = until;
    yield { pictures, sounds, until, leftOut };
    [pictures, sounds] = [[], []];
  }
  yield { pictures, sounds, until: Math.max(seenUntil, heardUntil), leftOut };
}
