import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, sha256 } from '@adbreak/shared/storage/atomic.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { type LabelWords, spanAt } from '@adbreak/shared/video/labels.js';
import type { LabelledPicture, SampleSource, Split } from '../ports.js';
import { inOrder } from './in-order.js';
import { type DatasetManifest, readManifest, readPicture } from './manifest.js';
import { pixelsOf } from './picture.js';
import { SPLITS } from './ratio.js';
import { type Dataset, fileDigest, openDataset, type Recording } from './recordings.js';
import { scaled } from './scaled.js';

interface SampleOptions {
  /** Frames a second taken from recordings. */
  readonly fps?: number;
  /** Other words in labels of recordings. */
  readonly words?: LabelWords;
}

const DEFAULT_FPS = 2;
/** Pictures decoded before ffmpeg asks for them. */
const AHEAD = 4;
const FEWEST_RECORDINGS = 3;
/** The converter's ranges do not get better with more. */
const CALIBRATION_FRAMES = 200;

/**
 * Opens a data set, whichever it is: one that `dataset prepare` made, or recordings with labels in train/, val/ and test/.
 * Throws `not_found`, `dataset_invalid`, `labels_invalid`, and `conflict` where it is unfinished.
 */
export async function openSamples(folder: string, options: SampleOptions = {}): Promise<SampleSource> {
  const manifest = await readManifest(folder);
  if (manifest !== undefined) return samplesOfPictures(folder, manifest);
  if (await exists(join(folder, 'train', 'ad')))
    throw new AdbreakError('dataset_invalid', `Cannot open the data set ${folder}: it has no dataset.json`, {
      remedy:
        'Make it with `adbreak dataset prepare`: nobody knows whether pictures of one scene are in two splits of this one.',
    });
  return samplesOfRecordings(await openDataset(folder, options.words), options);
}

/** Pictures of a prepared data set, each held to the manifest's digest when it is read. */
export function samplesOfPictures(folder: string, { fingerprint, pictures }: DatasetManifest): SampleSource {
  // By size, as pictures of one size are scaled together; else in the manifest's order.
  const sorted = [...pictures].sort((a, b) => a.width - b.width || a.height - b.height);
  const of = (split: Split) => sorted.filter((picture) => picture.split === split);
  return {
    fingerprint,
    place: folder,
    count: (split) => of(split).length,
    promises: (split, kind) => of(split).some(({ label }) => label === kind),
    async *read(split, preprocess, signal) {
      const own = of(split);
      if (own.length === 0) return;
      const decoded = inOrder(own, AHEAD, async (picture) => pixelsOf(await readPicture(folder, picture)));
      let index = 0;
      for await (const pixels of scaled(decoded, preprocess, signal)) {
        const picture = own[index++];
        if (picture === undefined) break;
        const { label, group, source, path } = picture;
        yield {
          isAd: label === 'ad',
          group,
          source,
          picture: { path: join(folder, path), at: null },
          pixels,
        };
      }
      signal?.throwIfAborted();
      refuseShort(index, own.length, split);
    },
  };
}

function refuseShort(read: number, expected: number, split: Split): void {
  if (read === expected) return;
  throw new AdbreakError(
    'video_unreadable',
    `Cannot read ${split}: ffmpeg gave ${read} pictures of ${expected}`,
  );
}

/**
 * Labelled frames of recordings, each under its own timestamp. A recording is a group, named by its split too,
 * since `train/one.mkv` and `val/one.mkv` are two; where a split has but one or two, their labelled spans are,
 * as intervals over two recordings would say nothing.
 */
export async function samplesOfRecordings(
  dataset: Dataset,
  { fps = DEFAULT_FPS }: SampleOptions = {},
): Promise<SampleSource> {
  const fingerprint = await fingerprintOfRecordings(dataset, fps);
  async function* readAll(split: Split, preprocess: Preprocess, signal?: AbortSignal) {
    const from = split === 'calibration' ? 'train' : split;
    const recordings = dataset[from];
    const isAlone = recordings.length < FEWEST_RECORDINGS;
    for (const recording of recordings)
      for await (const { span, ...sample } of framesOf(recording, preprocess, fps, signal)) {
        const whole = `${from}/${recording.name}`;
        yield { ...sample, group: isAlone ? `${whole} from ${span.toFixed(1)} s` : whole };
      }
  }
  return {
    fingerprint,
    place: JSON.stringify(SPLITS.map((split) => dataset[split].map(({ video }) => video))),
    count: (split) => {
      const frames = Math.round(labelledSeconds(dataset[split === 'calibration' ? 'train' : split]) * fps);
      return split === 'calibration' ? Math.ceil(frames / calibrationStep(dataset, fps)) : frames;
    },
    promises: (split, kind) =>
      dataset[split === 'calibration' ? 'train' : split].some(({ spans }) =>
        spans.some(({ label }) => label === kind),
      ),
    async *read(split, preprocess, signal) {
      const step = split === 'calibration' ? calibrationStep(dataset, fps) : 1;
      let index = 0;
      for await (const sample of readAll(split, preprocess, signal)) if (index++ % step === 0) yield sample;
      signal?.throwIfAborted();
    },
  };
}

/** Evenly spread over what the labels cover. */
function calibrationStep({ train }: Dataset, fps: number): number {
  return Math.max(1, Math.ceil((labelledSeconds(train) * fps) / CALIBRATION_FRAMES));
}

function labelledSeconds(recordings: readonly Recording[]): number {
  return recordings.flatMap(({ spans }) => spans).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** With the beginning of the labelled span that each frame is in. */
async function* framesOf(
  { name, video, spans }: Recording,
  preprocess: Preprocess,
  fps: number,
  signal?: AbortSignal,
): AsyncGenerator<Omit<LabelledPicture, 'group'> & { readonly span: number }> {
  for await (const { time, pixels } of timedFrames({ source: video, preprocess }, fps, signal)) {
    const span = spanAt(spans, time);
    if (span === null) continue;
    const picture = { path: video, at: time };
    yield { isAd: span.label === 'ad', source: name, picture, pixels, span: span.start };
  }
}

async function fingerprintOfRecordings(dataset: Dataset, fps: number): Promise<string> {
  const lines: string[] = [];
  for (const split of SPLITS)
    for (const { name, video, spans } of dataset[split])
      lines.push(JSON.stringify([split, name, await fileDigest(video), spans]));
  return sha256(JSON.stringify({ fps, lines }));
}
