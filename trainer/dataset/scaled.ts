import { type Preprocess, rawFrames } from '@adbreak/shared/video/frames.js';
import type { pixelsOf } from './picture.js';

/** Of a picture of any size, RGB24. */
export type Decoded = Awaited<ReturnType<typeof pixelsOf>>;

/**
 * As a grabber hands pictures over: brightness of every pixel, colour of every fourth. The scaler treats the two apart, and
 * its result for RGB is another one, by four levels where colours change.
 */
const AS_CAPTURED = 'scale=flags=area+accurate_rnd+full_chroma_inp:out_range=full,format=yuvj420p';

/**
 * Pictures at a network's input size, in their order, through the scaler that the Pi's frames go through, so that the resize
 * is the same operation (docs/decisions/006). Pictures of one size in a row share an ffmpeg: where the size changes within one,
 * it sets up its scaler anew and in another way.
 */
export async function* scaled(
  pictures: AsyncIterable<Decoded>,
  preprocess: Preprocess,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const all = pictures[Symbol.asyncIterator]();
  let next = await all.next();
  async function* ofOneSize({ width, height }: Decoded) {
    for (; next.done !== true; next = await all.next()) {
      if (next.value.width !== width || next.value.height !== height) return;
      yield next.value;
    }
  }
  try {
    while (next.done !== true && !signal?.aborted)
      yield* scaledAlike(ofOneSize(next.value), preprocess, signal);
  } finally {
    await all.return?.();
  }
}

/** Pictures of one size, which travel to ffmpeg as PPM. */
async function* scaledAlike(
  pictures: AsyncIterable<Decoded>,
  { width, height, scaler }: Preprocess,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const options = [
    '-hide_banner',
    '-loglevel',
    'error',
    '-f',
    'ppm_pipe',
    '-i',
    'pipe:0',
    '-vf',
    `${AS_CAPTURED},scale=${width}:${height}:flags=${scaler}+accurate_rnd`,
    '-fps_mode',
    'passthrough',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    'pipe:1',
  ];
  const input = asPpm(pictures);
  yield* rawFrames({ source: 'the pictures', options, bytes: width * height * 3, input }, signal);
}

/** Netpbm's portable pixmap, P6. */
async function* asPpm(pictures: AsyncIterable<Decoded>): AsyncGenerator<Uint8Array> {
  for await (const { pixels, width, height } of pictures) {
    yield Buffer.from(`P6\n${width} ${height}\n255\n`);
    yield pixels;
  }
}
