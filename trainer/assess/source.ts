import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { frames, type Preprocess } from '@adbreak/shared/video/frames.js';
import { labelAt } from '@adbreak/shared/video/labels.js';
import sharp from 'sharp';
import { fileDigest, openDataset, type Recording } from '../dataset/recordings.js';
import type { LabelledPicture, SampleSource, Split } from '../ports.js';

const PICTURE = /\.(jpe?g|png|webp)$/i;
const LABELS = ['ad', 'content'] as const;

/**
 * What lies below `folder` in train/, val/ and test/: recordings with labels, or ad/ and content/ with
 * pictures. Throws `not_found` where there is neither.
 */
export async function openSource(folder: string, fps: number): Promise<SampleSource> {
  return (await hasPictures(folder)) ? pictureSource(folder) : recordingSource(folder, fps);
}

async function hasPictures(folder: string): Promise<boolean> {
  const names = await readdir(join(folder, 'test')).catch((): string[] => []);
  return LABELS.some((label) => names.includes(label));
}

async function recordingSource(folder: string, fps: number): Promise<SampleSource> {
  const dataset = await openDataset(folder);
  const recordings = (split: Split) => (split === 'calibration' ? [] : dataset[split]);
  const facts: unknown[] = [fps];
  for (const split of ['train', 'val', 'test'] as const)
    for (const { name, video, spans } of dataset[split])
      facts.push([split, name, await fileDigest(video), spans]);
  return {
    fingerprint: sha256(JSON.stringify(facts)),
    count: (split) => (recordings(split).length === 0 ? 0 : null),
    async *read(split, preprocess, signal) {
      for (const recording of recordings(split))
        yield* labelledFrames(recording, { split, preprocess, fps }, signal);
    },
  };
}

async function* labelledFrames(
  { name, video, spans }: Recording,
  { split, preprocess, fps }: { split: Split; preprocess: Preprocess; fps: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<LabelledPicture> {
  for await (const { pixels, time } of frames({ source: video, preprocess, fps }, signal)) {
    const label = labelAt(spans, time);
    if (label === null) continue;
    yield {
      ...{ pixels, isAd: label === 'ad', group: `${split}/${name}`, source: name },
      picture: { path: video, at: time },
    };
  }
  // An iteration that just ends early would pass for a whole one.
  signal?.throwIfAborted();
}

async function pictureSource(folder: string): Promise<SampleSource> {
  const files = new Map<Split, { path: string; isAd: boolean }[]>();
  for (const split of ['train', 'val', 'test', 'calibration'] as const)
    files.set(split, await picturesOf(join(folder, split)));
  const all = [...files].flatMap(([split, pictures]) => pictures.map(({ path }) => [split, path] as const));
  const facts: unknown[] = [];
  for (const [split, path] of all) facts.push([split, sha256(await readFile(path))]);
  return {
    fingerprint: sha256(JSON.stringify(facts)),
    count: (split) => files.get(split)?.length ?? 0,
    async *read(split, preprocess, signal) {
      for (const { path, isAd } of files.get(split) ?? []) {
        signal?.throwIfAborted();
        const pixels = await pixelsOf(path, preprocess);
        yield { pixels, isAd, group: path, source: folder, picture: { path, at: null } };
      }
    },
  };
}

async function picturesOf(folder: string): Promise<{ path: string; isAd: boolean }[]> {
  const found: { path: string; isAd: boolean }[] = [];
  for (const label of LABELS) {
    const names = await readdir(join(folder, label)).catch((cause: unknown) => {
      if (systemCode(cause) === 'ENOENT') return [];
      throw cause;
    });
    for (const name of names.filter((one) => PICTURE.test(one)).sort())
      found.push({ path: join(folder, label, name), isAd: label === 'ad' });
  }
  return found;
}

async function pixelsOf(path: string, { width, height }: Preprocess): Promise<Uint8Array> {
  try {
    return new Uint8Array(
      await sharp(path, { limitInputPixels: 100_000_000 })
        .resize(width, height, { fit: 'fill' })
        .removeAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer(),
    );
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot read pictures: ${path} is none`, { cause });
  }
}
