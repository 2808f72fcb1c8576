import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { frames } from '@adbreak/shared/video/frames.js';
import sharp from 'sharp';

const PICTURE = /\.(jpe?g|png|webp|bmp|tiff?)$/i;
/** Frames of one recording in memory, an hour's at one a second: of a day's they would be gigabytes. */
const MOST_HELD = 3600;
const LARGEST_FILE = 2 * 1024 * 1024 * 1024;

/**
 * Pictures for calibration or comparison, RGB24 of `size` x `size`, at most `limit`, spread evenly over what there is:
 * a folder of pictures or videos, one file, or `.rgb`: raw frames of that size one after another.
 */
export async function loadPictures(
  path: string,
  size: number,
  limit: number,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw systemCode(cause) === 'ENOENT'
      ? new AdbreakError('not_found', `Cannot read pictures: ${path} does not exist`)
      : cause;
  });
  if (!info.isDirectory()) return fromFile(path, size, limit, signal);
  const names = await filesIn(path);
  const pictures = names.filter((name) => PICTURE.test(name));
  const chosen = pictures.length > 0 ? spread(pictures, limit) : names;
  const loaded: Uint8Array[] = [];
  for (const name of chosen) {
    signal?.throwIfAborted();
    const share = pictures.length > 0 ? 1 : Math.ceil(limit / chosen.length);
    loaded.push(...(await fromFile(join(path, name), size, share, signal)));
  }
  if (loaded.length === 0)
    throw new AdbreakError('input_invalid', `Cannot read pictures: ${path} holds none`);
  return loaded.slice(0, limit);
}

/** What can be opened, also behind links: a pipe or a device among them would be waited for without end. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    const isFile =
      entry.isFile() || (entry.isSymbolicLink() && (await stat(join(folder, entry.name))).isFile());
    if (isFile && !entry.name.startsWith('.')) names.push(entry.name);
  }
  return names.sort();
}

async function fromFile(
  path: string,
  size: number,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  if (path.endsWith('.rgb')) return spread(await rawFrames(path, size), limit);
  if (PICTURE.test(path)) return [await picture(path, size)];
  const preprocess = { width: size, height: size, scaler: 'area' } as const;
  const held = new Held(Math.max(MOST_HELD, 2 * limit));
  for await (const { pixels } of frames({ source: path, preprocess, fps: 1 }, signal)) held.add(pixels);
  signal?.throwIfAborted();
  return spread(held.frames, limit);
}

/** Frames of a recording of unknown length: as soon as there are too many every second one goes. */
class Held {
  readonly #most: number;
  frames: Uint8Array[] = [];
  #step = 1;
  #seen = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(frame: Uint8Array): void {
    if (this.#seen++ % this.#step !== 0) return;
    this.frames.push(frame);
    if (this.frames.length <= this.#most) return;
    this.frames = this.frames.filter((_, i) => i % 2 === 0);
    this.#step *= 2;
  }
}

async function rawFrames(path: string, size: number): Promise<Uint8Array[]> {
  const bytes = await readLimited(path, LARGEST_FILE);
  const length = size * size * 3;
  if (bytes === undefined || bytes.byteLength === 0 || bytes.byteLength % length !== 0)
    throw new AdbreakError(
      'input_invalid',
      `Cannot read pictures: ${path} must hold frames of ${length} bytes (${size}×${size} RGB): it has ${bytes?.byteLength ?? 0} bytes`,
    );
  return Array.from({ length: bytes.byteLength / length }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
}

async function picture(path: string, size: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(
      await sharp(path, { limitInputPixels: 100_000_000 })
        .resize(size, size, { fit: 'fill' })
        .removeAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer(),
    );
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot read pictures: ${path} is none`, { cause });
  }
}

function spread<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)]).filter(
    (item) => item !== undefined,
  );
}
