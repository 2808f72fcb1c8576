import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import { type Span, spanAt } from '@adbreak/shared/video/labels.js';
import { recordingName } from '../dataset/found.js';
import { jpegOf } from '../dataset/picture.js';
import { pictureName } from './frame-names.js';
import type { Library } from './library.js';

/** Frames a second: one picture for each that `spansOfPictures` gives a second to. */
const FPS = 1;
const WIDEST = 640;

/**
 * Writes one labelled frame a second of a recording into ad/ and content/ below a folder, as `adbreak dataset prepare
 * --source-path` reads them; gives how many. Throws as `timedFrames` does, and `disk_full`.
 */
export async function writeFrames(
  { name, path, facts }: ReturnType<Library['readable']>,
  spans: readonly Span[],
  folder: string,
  signal: AbortSignal,
): Promise<number> {
  const width = Math.min(WIDEST, facts.width);
  const height = Math.max(1, Math.round((facts.height * width) / facts.width));
  const preprocess = { width, height, scaler: 'area' } as const;
  let count = 0;
  for await (const { time, pixels } of timedFrames(
    { source: path, preprocess, start: facts.start },
    FPS,
    signal,
  )) {
    const span = spanAt(spans, time);
    if (span === null) continue;
    const file = join(folder, pictureName(span.label, recordingName(name), time));
    await mkdir(dirname(file), { recursive: true });
    await writeAtomic(file, await jpegOf(pixels, width, height));
    count += 1;
  }
  signal.throwIfAborted();
  return count;
}
