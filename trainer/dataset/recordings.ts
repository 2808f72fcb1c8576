import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { parseLabels, type Span } from '@adbreak/shared/video/labels.js';

export const SPLITS = ['train', 'val', 'test'] as const;
type Split = (typeof SPLITS)[number];

/** A video with its ground truth beside it: NAME.mkv and NAME.csv. */
export interface Recording {
  readonly name: string;
  readonly video: string;
  readonly spans: readonly Span[];
}
export type Dataset = Readonly<Record<Split, readonly Recording[]>>;

/** Stands in a split while it is made: a part of a data set must not pass for the whole. */
const UNFINISHED = '.unfinished';
const VIDEO = /\.(mkv|mp4|ts|mov|avi|webm)$/i;

/** Reads DIR/{train,val,test}/NAME.{mkv,...} with NAME.csv. A recording lies in one split only, by construction. */
export async function openDataset(folder: string): Promise<Dataset> {
  // One after the other: of several missing folders it is always the first that is named.
  const train = await recordingsIn(join(folder, 'train'));
  const val = await recordingsIn(join(folder, 'val'));
  return { train, val, test: await recordingsIn(join(folder, 'test')) };
}

/** Runs what fills the splits of a data set; what it leaves when it is interrupted or fails is refused by `openDataset`. */
export async function fillDataset(
  folder: string,
  splits: readonly string[],
  fill: () => Promise<void>,
): Promise<void> {
  const markers = splits.map((split) => join(folder, split, UNFINISHED));
  for (const marker of markers) await writeAtomic(marker, '');
  await fill();
  for (const marker of markers) await rm(marker);
}

/** Makes room for a recording. The labels of an older one of this name go first: interrupted, they must not lie beside the new one. */
export async function beginRecording(stem: string): Promise<void> {
  await mkdir(dirname(stem), { recursive: true });
  await rm(`${stem}.csv`, { force: true });
}

async function recordingsIn(folder: string): Promise<Recording[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot open the data set: ${folder} does not exist`, {
      cause,
      remedy:
        'Make one with `adbreak dataset synthesize`, or put NAME.mkv and NAME.csv into train/, val/ and test/.',
    });
  });
  if (names.includes(UNFINISHED))
    throw new AdbreakError(
      'conflict',
      `Cannot open the data set: ${folder} is unfinished; what made it was interrupted, or still runs`,
      {
        remedy: 'Run the command that makes it again, to its end.',
      },
    );
  return Promise.all(
    names
      .filter((name) => VIDEO.test(name))
      .sort()
      .map(async (name) => {
        const stem = name.replace(VIDEO, '');
        return {
          name: stem,
          video: join(folder, name),
          spans: await readLabels(join(folder, `${stem}.csv`)),
        };
      }),
  );
}

export async function readLabels(path: string): Promise<Span[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError(
      'labels_invalid',
      `Cannot read the labels ${path}: ${systemCode(cause) ?? 'it cannot be read'}`,
      { cause },
    );
  });
  return parseLabels(text);
}

/** SHA-256 of a file read in pieces: recordings are gigabytes. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
