import { join } from 'node:path';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { type Frame, frames, type Preprocess } from '@adbreak/shared/video/frames.js';
import { labelAt } from '@adbreak/shared/video/labels.js';
import { normalize } from '../convert/convert.js';
import { fileDigest, type Recording } from '../dataset/recordings.js';
import { CACHE_FORMAT, readRows, writeRows } from './cache.js';
import type { Examples } from './head.js';

/** A fixed function of a frame, cached on disk under its identity. */
export interface Extractor extends Disposable {
  /** Changes whenever the numbers would. */
  readonly identity: string;
  readonly width: number;
  extract(pixels: Uint8Array): Promise<Float32Array>;
}
interface ExtractOptions {
  readonly preprocess: Preprocess;
  readonly fps: number;
  readonly cache: string;
  readonly onFrame?: () => void;
  readonly signal?: AbortSignal;
}

export type Sampling = Pick<ExtractOptions, 'preprocess' | 'fps' | 'signal'>;

/** Features of the frozen backbone: the float model on the Pi's runtime. */
export async function backboneExtractor(
  runtime: TfliteRuntime,
  model: Uint8Array,
  normalization: { mean: number; std: number },
  threads: number,
): Promise<Extractor> {
  const interpreter = await runtime.open(model, { threads });
  return {
    identity: sha256(model),
    width: interpreter.outputs[0]?.shape.at(-1) ?? 0,
    extract: async (pixels) => {
      const [bytes] = await interpreter.invoke([new Uint8Array(normalize(pixels, normalization).buffer)]);
      return new Float32Array((bytes ?? new Uint8Array(0)).buffer);
    },
    [Symbol.dispose]: () => interpreter[Symbol.dispose](),
  };
}

const LEVELS = 8;
/** The baseline: a colour histogram of 8 x 8 x 8 cells. Whoever cannot beat it has learnt nothing. */
export function histogramExtractor(): Extractor {
  return {
    identity: `rgb-histogram-${LEVELS}`,
    width: LEVELS ** 3,
    extract: async (pixels) => {
      const histogram = new Float32Array(LEVELS ** 3);
      const share = 3 / pixels.length;
      for (let i = 0; i < pixels.length; i += 3) {
        const cell =
          (((pixels[i] ?? 0) >> 5) * LEVELS + ((pixels[i + 1] ?? 0) >> 5)) * LEVELS +
          ((pixels[i + 2] ?? 0) >> 5);
        histogram[cell] = (histogram[cell] ?? 0) + share;
      }
      return histogram.map(Math.sqrt);
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** All frames of a recording, or an AbortError: an iteration that just ends early would pass for a whole one. */
async function* everyFrame(
  recording: Recording,
  { preprocess, fps, signal }: Sampling,
): AsyncGenerator<Frame> {
  yield* frames({ source: recording.video, preprocess, fps }, signal);
  signal?.throwIfAborted();
}

/** Labelled frames of recordings; frames outside the labels are left out. */
export async function* labelledFrames(
  recording: Recording,
  sampling: Sampling,
): AsyncGenerator<Frame & { isAd: boolean }> {
  for await (const frame of everyFrame(recording, sampling)) {
    const label = labelAt(recording.spans, frame.time);
    if (label !== null) yield { ...frame, isAd: label === 'ad' };
  }
}

/** Features of all labelled frames, for several extractors in one pass over the video. */
export async function examplesOf(
  recordings: readonly Recording[],
  extractors: readonly Extractor[],
  options: ExtractOptions,
): Promise<Examples[]> {
  const parts: Examples[][] = [];
  for (const recording of recordings) parts.push(await examplesOfOne(recording, extractors, options));
  return extractors.map((extractor, i) =>
    concatenate(
      extractor.width,
      parts.map((part) => part[i]).filter((part) => part !== undefined),
    ),
  );
}

async function examplesOfOne(
  recording: Recording,
  extractors: readonly Extractor[],
  options: ExtractOptions,
): Promise<Examples[]> {
  const key = sha256(
    JSON.stringify([CACHE_FORMAT, await fileDigest(recording.video), options.preprocess, options.fps]),
  );
  const paths = extractors.map(({ identity }) => join(options.cache, `${sha256(key + identity)}.rows`));
  const cached = await Promise.all(extractors.map(({ width }, i) => readRows(paths[i] ?? '', width)));
  // Labels are not part of the cache: features of every frame are, so that relabelling costs nothing.
  if (cached.every((rows) => rows !== null))
    return extractors.map(({ width }, i) =>
      relabel(recording, options.fps, width, cached[i] ?? new Float32Array(0)),
    );
  const rows: Float32Array[][] = extractors.map(() => []);
  for await (const frame of everyFrame(recording, options)) {
    for (const [i, extractor] of extractors.entries()) rows[i]?.push(await extractor.extract(frame.pixels));
    options.onFrame?.();
  }
  return Promise.all(
    extractors.map(async ({ width }, i) => {
      const all = await writeRows(paths[i] ?? '', width, rows[i] ?? []);
      return relabel(recording, options.fps, width, all);
    }),
  );
}

function relabel(recording: Recording, fps: number, width: number, all: Float32Array): Examples {
  const kept: number[] = [];
  const isAd: boolean[] = [];
  for (let row = 0; row < all.length / width; row++) {
    const label = labelAt(recording.spans, row / fps);
    if (label === null) continue;
    kept.push(row);
    isAd.push(label === 'ad');
  }
  const features = new Float32Array(kept.length * width);
  kept.forEach((row, i) => features.set(all.subarray(row * width, (row + 1) * width), i * width));
  return { width, features, isAd };
}

function concatenate(width: number, parts: readonly Examples[]): Examples {
  const features = new Float32Array(parts.reduce((sum, part) => sum + part.features.length, 0));
  let at = 0;
  for (const part of parts) {
    features.set(part.features, at);
    at += part.features.length;
  }
  return { width, features, isAd: parts.flatMap((part) => [...part.isAd]) };
}
