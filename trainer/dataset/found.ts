import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { timedFrames } from '@adbreak/shared/video/exact.js';
import { type Span, spanAt } from '@adbreak/shared/video/labels.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import { divideByRatio, type Stretch } from './by-time.js';
import { type Candidate, folderOf } from './groups.js';
import { inOrder } from './in-order.js';
import type { DatasetManifest, Reason } from './manifest.js';
import { type Change, jpegOf, lookAt, signatureOfPixels } from './picture.js';
import type { OnProgress } from './progress.js';
import type { FitSplit, SplitRatio } from './ratio.js';
import { type PictureFile, VIDEO_ENDING } from './scan.js';

/** A picture that a data set may take. */
export interface Found extends Omit<Candidate, 'near'> {
  readonly sha256: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Where its bytes are: in the source, or in the spool, from where it may be moved away. */
  readonly file: string;
  readonly isSpooled: boolean;
  readonly source: string;
  readonly at: number | null;
  readonly changes: readonly Change[];
}
export type LeftOut = DatasetManifest['leftOut'][number];

/** Where pictures come from, and where those go that cannot be taken as they are. */
export interface Place {
  /** The folder of pictures and recordings. */
  readonly folder: string;
  readonly spool: string;
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal;
}

/** Pictures opened at once: what decoding of one waits for, another one uses. */
const AHEAD = 4;
/** Of frames taken from recordings, in pixels: more than any input of the networks, less than the disk minds. */
const WIDEST = 640;

/** Looks at pictures, in their order. */
export async function findPictures(
  files: readonly (PictureFile & { readonly recording: string | null })[],
  { folder, spool, onProgress, signal }: Place,
): Promise<{ found: Found[]; leftOut: LeftOut[] }> {
  const found: Found[] = [];
  const leftOut: LeftOut[] = [];
  const looks = inOrder(files, AHEAD, async (file) => {
    signal?.throwIfAborted();
    return { file, seen: await lookAt(join(folder, file.path)) };
  });
  let done = 0;
  for await (const { file, seen } of looks) {
    onProgress('looking at pictures', ++done, files.length);
    const { path: origin, label, recording } = file;
    if ('refusal' in seen) {
      leftOut.push(leave(origin, seen.refusal, seen.why));
      continue;
    }
    const { rewritten, ...rest } = seen;
    const taken =
      rewritten === null
        ? { file: join(folder, origin), isSpooled: false }
        : { file: join(spool, `p${done}.jpg`), isSpooled: true };
    if (rewritten !== null) await writeFile(taken.file, rewritten);
    const source = folderOf(origin).split('/').slice(1).join('/') || 'pictures';
    found.push({ ...rest, ...taken, origin, label, recording, source, scene: null, at: null });
  }
  return { found, leftOut };
}

export function leave(origin: string, reason: Reason, detail: string): LeftOut {
  return { origin, reason, detail: detail.slice(0, 1000) };
}

/** A recording with its labels. */
export interface LabelledRecording {
  readonly path: string;
  readonly spans: readonly Span[];
}

/** The name that pictures of a recording share with it. */
export function recordingName(path: string): string {
  return path.replace(VIDEO_ENDING, '');
}

/**
 * Labelled frames of a recording, `fps` a second, each under its own timestamp; as JPEGs in the spool. With a `ratio` the
 * recording fills all splits by itself: each frame falls into a split by its time, and belongs to its labelled span.
 */
export async function findFrames(
  { path, spans }: LabelledRecording,
  fps: number,
  ratio: SplitRatio | null,
  { folder, spool, onProgress, signal }: Place,
): Promise<Found[]> {
  const video = join(folder, path);
  const facts = await probeVideo(video, signal);
  const width = Math.min(WIDEST, facts.width);
  const height = Math.max(1, Math.round((facts.height * width) / facts.width));
  const name = recordingName(path);
  const sceneAt = ratio === null ? () => null : scenesOf(name, spans, ratio);
  const spoolFile = (index: number) => join(spool, `${sha256(path).slice(0, 16)}-${index}.jpg`);
  const found: Found[] = [];
  const preprocess = { width, height, scaler: 'area' } as const;
  for await (const { time, pixels } of timedFrames({ source: video, preprocess }, fps, signal)) {
    onProgress(`reading ${path}, seconds`, time, facts.duration);
    const span = spanAt(spans, time);
    if (span === null) continue;
    const jpeg = await jpegOf(pixels, width, height);
    const file = spoolFile(found.length);
    await writeFile(file, jpeg);
    found.push({
      label: span.label,
      signature: await signatureOfPixels(pixels, width, height),
      origin: `${path}@${time.toFixed(3)}`,
      recording: name,
      scene: sceneAt(span),
      sha256: sha256(jpeg),
      width,
      height,
      file,
      isSpooled: true,
      source: folderOf(path) || name,
      at: time,
      changes: [],
    });
  }
  signal?.throwIfAborted();
  return found;
}

function scenesOf(name: string, spans: readonly Span[], ratio: SplitRatio) {
  const stretches = stretchesOf(spans, ratio);
  return ({ start }: Span): { split: FitSplit; name: string } | null => {
    // Stretches begin where spans begin: a span lies in one of them.
    const split = stretches.findLast((stretch) => stretch.start <= start)?.name;
    return split === undefined ? null : { split, name: `${name} from ${start.toFixed(1)} s` };
  };
}

/** None where it has too few spans: it then stays whole, too. */
function stretchesOf(spans: readonly Span[], ratio: SplitRatio): Stretch<FitSplit>[] {
  try {
    return divideByRatio(spans, ratio);
  } catch (error) {
    if (hasCode(error, 'labels_invalid')) return [];
    throw error;
  }
}
