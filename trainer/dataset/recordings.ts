import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AdbreakError, hasCode, systemCode } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { parseLabelFile } from '@adbreak/shared/video/label-files.js';
import type { LabelWords, Span } from '@adbreak/shared/video/labels.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { inOrder } from './in-order.js';
import type { FitSplit } from './ratio.js';
import { VIDEO_ENDING } from './scan.js';
import { makeFolder, makeWritable } from './writable.js';

/** A video with its ground truth beside it: NAME.mkv and NAME.csv. */
export interface Recording {
  readonly name: string;
  readonly video: string;
  readonly spans: readonly Span[];
}
export type Dataset = Readonly<Record<FitSplit, readonly Recording[]>>;

/** Stands in a split while it is made: a part of a data set must not pass for the whole. */
const UNFINISHED = '.unfinished';
const LARGEST_LABELS = 16 * 1024 * 1024;
/** Recordings asked for their length at once: each is a process. */
const AHEAD = 4;

/**
 * Reads DIR/{train,val,test}/NAME.{mkv,...} with NAME.csv, and holds the labels of each recording to its length.
 * A recording lies in one split only, by construction. Throws `not_found`, `conflict` where it is unfinished,
 * `labels_invalid`, and `video_unreadable` where a recording has no picture.
 */
export async function openDataset(folder: string, words: LabelWords = {}): Promise<Dataset> {
  // One after the other: of several missing folders it is always the first that is named.
  const train = await recordingsIn(join(folder, 'train'), words);
  const val = await recordingsIn(join(folder, 'val'), words);
  return { train, val, test: await recordingsIn(join(folder, 'test'), words) };
}

/** Runs what fills the splits of a data set; what it leaves when it is interrupted or fails is refused by `openDataset`. */
export async function fillDataset(
  folder: string,
  splits: readonly string[],
  fill: () => Promise<void>,
): Promise<void> {
  const markers = splits.map((split) => join(folder, split, UNFINISHED));
  for (const marker of markers) {
    await makeWritable(dirname(marker));
    await writeAtomic(marker, '');
  }
  await fill();
  for (const marker of markers) await rm(marker);
}

/** Makes room for a recording. The labels of an older one of this name go first: interrupted, they must not lie beside the new one. */
export async function beginRecording(stem: string): Promise<void> {
  await makeFolder(dirname(stem));
  await rm(`${stem}.csv`, { force: true });
}

async function recordingsIn(folder: string, words: LabelWords): Promise<Recording[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot open the data set: ${folder} does not exist`, {
      cause,
      remedy:
        'Make one of your recordings with `adbreak dataset prepare`, or of synthetic ones with `adbreak dataset ' +
        'synthesize`, and name its folder (--data, or dataset.path of the configuration).',
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
  const recordings: Recording[] = [];
  const opened = inOrder(names.filter((name) => VIDEO_ENDING.test(name)).sort(), AHEAD, async (file) => {
    const name = file.replace(VIDEO_ENDING, '');
    const video = join(folder, file);
    return { name, video, spans: await readLabels(join(folder, `${name}.csv`), { video, words }) };
  });
  for await (const recording of opened) recordings.push(recording);
  return recordings;
}

/** What helps to read labels: the recording they are of, for its length and frame rate, and other words for `ad` and `content`. */
export interface LabelContext {
  readonly video?: string;
  readonly words?: LabelWords;
}

/**
 * Reads a labels file: CSV, EDL or comskip, UTF-8 or UTF-16. Of the last two, which name advertisements alone, the rest is
 * content up to the end of `video`. Throws `labels_invalid` with its path and the line.
 */
export async function readLabels(path: string, { video, words = {} }: LabelContext = {}): Promise<Span[]> {
  const invalid = (cause: unknown, why = '') =>
    new AdbreakError('labels_invalid', `Cannot read the labels ${path}${why}`, {
      cause,
      ...(hasCode(cause, 'labels_invalid') && { remedy: cause.remedy }),
    });
  const bytes = await readLimited(path, LARGEST_LABELS).catch((cause: unknown) => {
    throw invalid(cause, `: ${systemCode(cause) ?? 'it cannot be read'}`);
  });
  if (bytes === undefined) throw invalid(undefined, ': ENOENT');
  const facts = video === undefined ? { duration: null, frameRate: null } : await probeVideo(video);
  try {
    const named = path.toLowerCase().endsWith('.edl') ? 'edl' : 'csv';
    return parseLabelFile(decodeText(bytes), { ...facts, words, named });
  } catch (cause) {
    throw invalid(cause);
  }
}

/** By its byte order mark: spreadsheets write "Unicode text" as UTF-16. */
function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder().decode(bytes);
}

/** SHA-256 of a file read in pieces: recordings are gigabytes. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
