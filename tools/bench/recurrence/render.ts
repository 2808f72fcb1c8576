import { logoOf } from '@adbreak/trainer/dataset/synthetic/broadcast.js';
import { Canvas } from '@adbreak/trainer/dataset/synthetic/canvas.js';
import type { Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';
import { encode } from '@adbreak/trainer/dataset/synthetic/encode.js';
import { labelOfItem } from '@adbreak/trainer/dataset/synthetic/schedule.js';
import { type Shot, shotsOf } from '@adbreak/trainer/dataset/synthetic/shots.js';
import { mixed } from './sound/layers.js';
import { SAMPLE_RATE } from './sound/rate.js';
import { type Cue, FPS, type Recording } from './world/cue.js';

export const SIZE = { width: 320, height: 180 } as const;
const SAMPLES_A_FRAME = SAMPLE_RATE / FPS;
/** Key frames come every so many frames, whatever is on: a cut is not always one. */
const KEY_EVERY = 60;
const SOUND = ['-ar', '48000', '-c:a', 'aac', '-b:a', '96k'] as const;

/** Renders a recording as Matroska. Throws as `encode` does. */
export async function renderRecording(
  { channel, cues }: Recording,
  output: string,
  signal?: AbortSignal,
): Promise<void> {
  await encode(
    {
      output,
      ...SIZE,
      fps: FPS,
      sampleRate: SAMPLE_RATE,
      video: ['-crf', '25'],
      keyEvery: KEY_EVERY,
      audio: SOUND,
      pictures: pictures(cues, channel),
      sounds: sounds(cues),
    },
    signal,
  );
}

async function* pictures(cues: readonly Cue[], channel: Channel): AsyncGenerator<Buffer> {
  const canvas = new Canvas(SIZE.width, SIZE.height);
  const logo = await logoOf(channel);
  const x = channel.corner === 'left' ? 26 : SIZE.width - 26;
  for (const { item, first, frames } of cues) {
    const showsLogo = item.kind !== 'black' && (labelOfItem(item) === 'content' || channel.logoInAds);
    for (const { shot, frame, count } of framesOfShots(await shotsOf(item, channel), first, frames)) {
      shot.draw(canvas, frame / FPS, frame / count);
      if (showsLogo) canvas.sprite(logo, x, channel.letterboxed ? 36 : 20, 1, 0.85);
      yield Buffer.from(canvas.rgb);
    }
  }
}

/** Which frame of which shot is on at each of `frames` frames of an item from its frame `first` on. */
export function* framesOfShots(
  shots: readonly Shot[],
  first: number,
  frames: number,
): Generator<{ shot: Shot; frame: number; count: number }> {
  let seconds = 0;
  let start = 0;
  for (const [i, shot] of shots.entries()) {
    seconds += shot.seconds;
    const isLast = i === shots.length - 1;
    const count = Math.round(seconds * FPS) - start;
    // Of lengths in tenths of a second the sum may be a frame less than the whole.
    const end = isLast ? Math.max(start + count, first + frames) : start + count;
    for (let at = Math.max(first, start); at < Math.min(end, first + frames); at++)
      yield { shot, frame: at - start, count: Math.max(1, count) };
    start = end;
  }
}

async function* sounds(cues: readonly Cue[]): AsyncGenerator<Buffer> {
  for (const { layers, first, frames, soundFirst } of cues) {
    const from = (soundFirst ?? first) * SAMPLES_A_FRAME;
    const count = frames * SAMPLES_A_FRAME;
    const samples = mixed(layers, from + count);
    yield Buffer.from(
      samples.buffer,
      from * Int16Array.BYTES_PER_ELEMENT,
      count * Int16Array.BYTES_PER_ELEMENT,
    );
  }
}
