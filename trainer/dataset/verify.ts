import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, systemCode } from '@adbreak/shared/errors.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { inOrder } from './in-order.js';
import { type DatasetManifest, readPicture } from './manifest.js';
import type { OnProgress } from './progress.js';
import { type FitSplit, SPLITS } from './ratio.js';
import { type Dataset, fileDigest } from './recordings.js';
import { byCodeUnits, LABELS } from './scan.js';

const AHEAD = 4;
/** Labels that end so much before the recording leave something unsaid. */
const UNLABELLED_SECONDS = 60;

/** Every file below the splits of a prepared data set, as `train/ad/NAME`. */
export async function picturesIn(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const split of [...SPLITS, 'calibration'])
    for (const label of LABELS) {
      const below = `${split}/${label}`;
      const names = await readdir(join(folder, below)).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return [];
        throw error;
      });
      paths.push(...names.map((name) => `${below}/${name}`));
    }
  return paths.sort(byCodeUnits);
}

/** Holds a prepared data set to its manifest: gives a sentence for each picture that is changed, gone or was added. */
export async function verifyPictures(
  folder: string,
  { pictures }: DatasetManifest,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string[]> {
  const faults: string[] = [];
  const checks = inOrder(pictures, AHEAD, async (picture) => {
    signal?.throwIfAborted();
    return faultOf(() => readPicture(folder, picture));
  });
  let done = 0;
  for await (const fault of checks) {
    onProgress('checking pictures', ++done, pictures.length);
    if (fault !== null) faults.push(fault);
  }
  const known = new Set(pictures.map(({ path }) => path));
  for (const path of await picturesIn(folder))
    if (!known.has(path)) faults.push(`${join(folder, path)} is not in the manifest: it was added later`);
  return [...faults, ...crossings(pictures)];
}

async function faultOf(look: () => Promise<unknown>): Promise<string | null> {
  try {
    await look();
    return null;
  } catch (error) {
    if (hasCode(error, 'dataset_invalid', 'video_unreadable')) return error.message;
    throw error;
  }
}

/** Calibration is drawn from train, so the two are one here. */
function crossings(pictures: DatasetManifest['pictures']): string[] {
  const homes = new Map<string, string>();
  const faults = new Set<string>();
  for (const { group, split } of pictures) {
    const own = split === 'calibration' ? 'train' : split;
    const home = homes.get(group) ?? own;
    homes.set(group, home);
    if (home !== own) faults.add(`the group ${group} is in ${home} and in ${own}`);
  }
  return [...faults];
}

/** Looks at a data set of recordings: each can be read, its labels fit its length, none is in two splits. */
export async function verifyRecordings(
  dataset: Dataset,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string[]> {
  const all = SPLITS.flatMap((split) => dataset[split].map((recording) => ({ split, recording })));
  const homes = new Map<string, { split: FitSplit; video: string }>();
  const faults: string[] = [];
  for (const [i, { split, recording }] of all.entries()) {
    signal?.throwIfAborted();
    onProgress('checking recordings', i, all.length);
    const { video, spans } = recording;
    const fault = await faultOf(async () => {
      const { duration } = await probeVideo(video, signal);
      const unsaid = duration === null ? 0 : duration - (spans.at(-1)?.end ?? 0);
      if (unsaid > UNLABELLED_SECONDS)
        faults.push(`the last ${unsaid.toFixed(0)} s of ${video} have no label`);
    });
    if (fault !== null) faults.push(fault);
    const digest = await fileDigest(video);
    const home = homes.get(digest);
    if (home !== undefined && home.split !== split) faults.push(`${video} is ${home.video} once more`);
    homes.set(digest, { split, video });
  }
  return faults;
}
