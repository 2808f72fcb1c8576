import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { seeded } from '@adbreak/shared/random.js';
import { exists, sha256 } from '@adbreak/shared/storage/atomic.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { spanAt } from '@adbreak/shared/video/labels.js';
import { fingerprintOf, type PictureEntry, writeManifest } from '@adbreak/trainer/dataset/manifest.js';
import { jpegOf } from '@adbreak/trainer/dataset/picture.js';
import { renderBroadcast } from '@adbreak/trainer/dataset/synthetic/broadcast.js';
import { CHANNELS } from '@adbreak/trainer/dataset/synthetic/channels.js';

/** Pictures of each split, 2,000 together; `calibration` holds some of train's once more. */
export const COUNTS = { train: 1400, val: 300, test: 300, calibration: 200 } as const;
export const SIDE = 224;
const FPS = 1;
/** Changes whenever the pictures would. */
const FORMAT = 1;

type Drawn = 'train' | 'val' | 'test';
interface Picture {
  readonly entry: Omit<PictureEntry, 'path' | 'split'>;
  readonly file: Uint8Array;
  readonly name: string;
}
export interface PicturesRequest {
  /** Where data sets lie. */
  readonly folder: string;
  readonly seed: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * A prepared data set of JPEGs of 224 × 224 out of synthetic broadcasts: made once, the same for the same
 * seed, and whole or not there. Gives its folder.
 */
export async function benchPictures({ folder, seed, say, signal }: PicturesRequest): Promise<string> {
  const output = join(folder, `pictures-${FORMAT}-${seed}`);
  if (await exists(output)) return output;
  const unfinished = `${output}.part`;
  await rm(unfinished, { recursive: true, force: true });
  const entries: PictureEntry[] = [];
  for (const split of ['train', 'val', 'test'] as const) {
    say(`rendering ${COUNTS[split]} pictures of ${split}`);
    const pictures = await picturesOf(split, seed, unfinished, signal);
    entries.push(...(await write(pictures, split, unfinished)));
    if (split !== 'train') continue;
    const drawn = seeded(`bench-train/${seed}/calibration`).shuffle(pictures).slice(0, COUNTS.calibration);
    entries.push(...(await write(drawn, 'calibration', unfinished)));
  }
  await writeManifest(unfinished, {
    schema: 1,
    fingerprint: fingerprintOf(entries),
    seed: Math.max(1, seed),
    splitRatio: { train: 0.7, val: 0.15, test: 0.15 },
    maxFrames: null,
    sources: [],
    pictures: entries,
    leftOut: [],
  });
  await rename(unfinished, output);
  return output;
}

/** Of every channel as many, but for what does not divide. */
async function picturesOf(
  split: Drawn,
  seed: number,
  folder: string,
  signal: AbortSignal,
): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const [i, channel] of CHANNELS.entries()) {
    const wanted = Math.floor((COUNTS[split] + i) / CHANNELS.length);
    const output = join(folder, 'broadcast.mkv');
    await mkdir(folder, { recursive: true });
    const request = { seed: `bench-train/${seed}/${split}`, channel, seconds: wanted / FPS, output };
    const spans = await renderBroadcast(request, signal);
    const preprocess = { width: SIDE, height: SIDE, scaler: 'area' } as const;
    const before = pictures.length;
    for await (const { time, pixels } of frames({ source: output, preprocess, fps: FPS }, signal)) {
      const span = spanAt(spans, time);
      if (span === null) continue;
      const file = await jpegOf(pixels, SIDE, SIDE);
      const group = `${split} ${channel.name} ${span.start}`;
      const name = `${channel.name}-${time.toFixed(1).padStart(6, '0')}.jpg`;
      pictures.push({ entry: entryOf(file, span.label, group, channel.name, name), file, name });
      if (pictures.length - before === wanted) break;
    }
    await rm(output);
  }
  if (pictures.length !== COUNTS[split]) throw new Error(`${split} has ${pictures.length} pictures`);
  return pictures;
}

function entryOf(
  file: Uint8Array,
  label: PictureEntry['label'],
  group: string,
  source: string,
  origin: string,
): Picture['entry'] {
  return {
    label,
    sha256: sha256(file),
    width: SIDE,
    height: SIDE,
    group,
    source,
    origin,
    at: null,
    changes: [],
  };
}

async function write(
  pictures: readonly Picture[],
  split: PictureEntry['split'],
  folder: string,
): Promise<PictureEntry[]> {
  const entries: PictureEntry[] = [];
  for (const { entry, file, name } of pictures) {
    const path = `${split}/${entry.label}/${name}`;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), file);
    entries.push({ ...entry, path, split });
  }
  return entries;
}
