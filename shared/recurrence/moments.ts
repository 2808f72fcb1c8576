import type { PictureWord } from './picture.js';
import type { SoundWord } from './sound.js';

/** Some time of a stream: what was seen and heard in it, each in order. */
export interface Moments {
  readonly pictures: readonly PictureWord[];
  readonly sounds: readonly SoundWord[];
  /** Seconds up to which both are whole. */
  readonly until: number;
  /** Pictures whose time was not after those before: a clock that was set back. They are left out. */
  readonly leftOut: number;
}
