import type { Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';
import type { Item } from '@adbreak/trainer/dataset/synthetic/schedule.js';
import type { Layer } from '../sound/layers.js';

/** Frames a second of what is broadcast. */
export const FPS = 25;

/** A stretch of pictures and sound in a recording. Both are those of a whole item, from frame `first` of it on. */
export interface Cue {
  readonly item: Item;
  readonly layers: readonly Layer[];
  /** Of the item's frames. */
  readonly first: number;
  readonly frames: number;
  /** Of the sound, where that is not the pictures' own: another `first` than theirs. */
  readonly soundFirst?: number;
}

export const TRUE_CLASSES = ['spot', 'ident', 'trailer', 'repeat', 'replay'] as const;
export type TrueClass = (typeof TRUE_CLASSES)[number];

/** Something that may air more than once, exactly like this. */
export interface Material {
  /** Of this version: another length or voice-over is another. */
  readonly id: string;
  /** Of everything that a person would call the same. */
  readonly family: string;
  readonly class: TrueClass;
  readonly cues: readonly Cue[];
}

/** That a material was on, in frames of its recording; `to` is not part of it. */
export interface Airing {
  readonly id: string;
  readonly family: string;
  readonly class: TrueClass;
  readonly from: number;
  readonly to: number;
  /** The recording begins or ends within it. */
  readonly isCut: boolean;
}

export interface Recording {
  readonly name: string;
  readonly channel: Channel;
  readonly cues: readonly Cue[];
  readonly airings: readonly Airing[];
  /** Stretches of breaks, black included, in frames. */
  readonly breaks: readonly (readonly [number, number])[];
}

export const framesOf = (seconds: number) => Math.round(seconds * FPS);
export const framesIn = (cues: readonly Cue[]) => cues.reduce((sum, { frames }) => sum + frames, 0);

/** A cue for all of an item. */
export function whole(item: Item, layers: readonly Layer[]): Cue {
  return { item, layers, first: 0, frames: framesOf(item.seconds) };
}

/** The frames `from` to `to` of what the cues show together. */
export function excerpt(cues: readonly Cue[], from: number, to: number): Cue[] {
  const cut: Cue[] = [];
  let at = 0;
  for (const cue of cues) {
    const [start, end] = [Math.max(from, at), Math.min(to, at + cue.frames)];
    const skipped = start - at;
    const sound = cue.soundFirst === undefined ? {} : { soundFirst: cue.soundFirst + skipped };
    if (end > start) cut.push({ ...cue, first: cue.first + skipped, frames: end - start, ...sound });
    at += cue.frames;
  }
  return cut;
}
