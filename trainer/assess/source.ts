import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { inOrder } from '../dataset/in-order.js';
import { PICTURE_ENDING, pixelsOf } from '../dataset/picture.js';
import { openSamples } from '../dataset/samples.js';
import { scaled } from '../dataset/scaled.js';
import type { SampleSource, Split } from '../ports.js';

const LABELS = ['ad', 'content'] as const;
/** Pictures decoded before ffmpeg asks for them. */
const AHEAD = 4;

/**
 * What is measured on: a data set as `dataset prepare` makes it, recordings with labels, or pictures in ad/
 * and content/ of a split. `words` are other ones in labels of recordings. Nobody divided such pictures, so
 * that each of them is a group of its own. Throws as opening a data set does.
 */
export async function openSource(folder: string, fps: number, words: LabelWords = {}): Promise<SampleSource> {
  return (await hasPlainPictures(folder)) ? plainPictures(folder) : openSamples(folder, { fps, words });
}

async function hasPlainPictures(folder: string): Promise<boolean> {
  if ((await readdir(folder).catch((): string[] => [])).includes('dataset.json')) return false;
  const names = await readdir(join(folder, 'test')).catch((): string[] => []);
  return LABELS.some((label) => names.includes(label));
}

interface Plain {
  readonly path: string;
  readonly isAd: boolean;
  readonly digest: string;
  readonly width: number;
  readonly height: number;
}

async function plainPictures(folder: string): Promise<SampleSource> {
  const files = new Map<Split, Plain[]>();
  for (const split of ['train', 'val', 'test', 'calibration'] as const)
    files.set(split, await picturesOf(join(folder, split)));
  const facts = [...files].flatMap(([split, pictures]) => pictures.map(({ digest }) => [split, digest]));
  return {
    fingerprint: sha256(JSON.stringify(facts)),
    place: folder,
    count: (split) => files.get(split)?.length ?? 0,
    promises: (split, kind) => (files.get(split) ?? []).some(({ isAd }) => isAd === (kind === 'ad')),
    async *read(split, preprocess, signal) {
      const own = files.get(split) ?? [];
      const decoded = inOrder(own, AHEAD, async ({ path }) => decodedFrom(path, await readFile(path)));
      let index = 0;
      for await (const pixels of scaled(decoded, preprocess, signal)) {
        const { path, isAd } = own[index++] ?? { path: '', isAd: false };
        yield { pixels, isAd, group: path, source: folder, picture: { path, at: null } };
      }
      signal?.throwIfAborted();
    },
  };
}

/** By size: pictures of one size are scaled together. */
async function picturesOf(folder: string): Promise<Plain[]> {
  const found: Plain[] = [];
  for (const label of LABELS)
    for (const name of await namesIn(join(folder, label))) {
      const path = join(folder, label, name);
      const bytes = await readFile(path);
      const { width, height } = await decodedFrom(path, bytes);
      found.push({ path, isAd: label === 'ad', digest: sha256(bytes), width, height });
    }
  return found.sort((a, b) => a.width - b.width || a.height - b.height);
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return [];
    throw cause;
  });
  return names.filter((one) => PICTURE_ENDING.test(one)).sort();
}

async function decodedFrom(path: string, bytes: Uint8Array) {
  return pixelsOf(bytes).catch((cause: unknown) => {
    throw new AdbreakError('input_invalid', `Cannot read pictures: ${path} is none`, { cause });
  });
}
