import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { explain } from '@adbreak/shared/errors.js';
import sharp from 'sharp';
import type { Sample } from '../ports.js';
import type { Thumbnail } from './thumbnail.js';

const WIDTH = 240;
const QUALITY = 68;
const TIMEOUT_MS = 20_000;
const LARGEST = 8 * 1024 * 1024;
const run = promisify(execFile);

/**
 * The picture that a sample names, small. What cannot be read any more is said in its place and stops
 * nothing.
 */
export async function thumbnailOf({ path, at }: Sample['picture'], signal?: AbortSignal): Promise<Thumbnail> {
  try {
    const source = at === null ? path : await frameAt(path, at, signal);
    const jpeg = await sharp(source, { limitInputPixels: 100_000_000 })
      .resize({ width: WIDTH, withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .jpeg({ quality: QUALITY })
      .toBuffer();
    return { jpeg };
  } catch (error) {
    signal?.throwIfAborted();
    return { problem: reasonOf(error).slice(0, 200) };
  }
}

/** Of ffmpeg its own last words, not the command line. */
function reasonOf(error: unknown): string {
  const words =
    error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : undefined;
  return words || (explain(error).split('\n')[0] ?? '');
}

async function frameAt(path: string, at: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const { stdout } = await run(
    'ffmpeg',
    [
      ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-ss', at.toFixed(3), '-i', `file:${path}`],
      ...['-frames:v', '1', '-an', '-f', 'image2pipe', '-c:v', 'png', 'pipe:1'],
    ],
    { encoding: 'buffer', maxBuffer: LARGEST, timeout: TIMEOUT_MS, ...(signal && { signal }) },
  );
  if (stdout.length === 0) throw new Error(`there is no frame at ${at.toFixed(1)} s`);
  return stdout;
}
