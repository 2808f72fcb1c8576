import { anySignal } from '@adbreak/shared/any-signal.js';
import { explain } from '@adbreak/shared/errors.js';
import { frameAt } from '@adbreak/shared/video/exact.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import sharp, { type Sharp } from 'sharp';
import type { Sample } from '../ports.js';
import type { Thumbnail } from './thumbnail.js';

const WIDTH = 240;
const QUALITY = 68;
const TIMEOUT_MS = 20_000;

/**
 * The picture that a sample names, small. What cannot be read any more is said in its place and stops
 * nothing.
 */
export async function thumbnailOf({ path, at }: Sample['picture'], signal?: AbortSignal): Promise<Thumbnail> {
  try {
    const picture =
      at === null ? sharp(path, { limitInputPixels: 100_000_000 }) : await pictureAt(path, at, signal);
    const jpeg = await picture
      .resize({ width: WIDTH, withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .jpeg({ quality: QUALITY })
      .toBuffer();
    return { jpeg };
  } catch (error) {
    signal?.throwIfAborted();
    return { problem: (explain(error).split('\n')[0] ?? '').slice(0, 200) };
  }
}

/** The frame that was looked at, and not the one behind it. */
async function pictureAt(path: string, at: number, signal: AbortSignal | undefined): Promise<Sharp> {
  using limited = anySignal([signal], TIMEOUT_MS);
  const { start, ...facts } = await probeVideo(path, limited.signal);
  const width = Math.min(WIDTH, facts.width);
  const height = Math.max(1, Math.round((facts.height * width) / facts.width));
  const preprocess = { width, height, scaler: 'area' } as const;
  const { pixels } = await frameAt({ source: path, preprocess, start }, at, limited.signal);
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}
