import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { LabelledPicture } from '../../ports.js';
import { type AugmentationSettings, augment } from '../augment.js';
import type { HeadSettings, TrainingExamples } from '../examples.js';
import type { Extractor } from '../extractors.js';
import { pictureKey } from '../feature-store.js';
import { balancedWeights, fitHead } from '../head.js';
import { logitsOf } from '../linear.js';
import { progressOf } from '../progress.js';
import { scalingOf } from '../scaling.js';
import type { Lesson } from './network.js';

/** How much of a soft label is the teacher's word; the rest is the person's. */
const TEACHERS_WORD = 0.5;
/** The teacher's own head: a few steps of a plain fit. */
const TEACHERS_HEAD = {
  seed: 1,
  batchSize: 32,
  epochs: 20,
  warmupEpochs: 1,
  learningRate: 0.001,
  schedule: 'cosine',
  weightDecay: 0,
  l2: 0.003,
  labelSmoothing: 0,
  dropout: 0.2,
  mixup: 0,
  patience: null,
} as const satisfies Omit<HeadSettings, 'classWeights'>;

interface LessonRequest {
  readonly preprocess: Preprocess;
  readonly augmentation: AugmentationSettings;
  /** Of the network that learns: it sees (pixel - mean) / std. */
  readonly normalization: { readonly mean: number; readonly std: number };
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
/** A picture or one of its views. */
interface View {
  readonly pixels: Uint8Array;
  readonly isAd: boolean;
}

/** Each picture and its augmented views, under the label that a person gave. */
export async function plainLessons(
  pictures: readonly LabelledPicture[],
  request: LessonRequest,
): Promise<Lesson[]> {
  const views = await viewsOf(pictures, request);
  return views.map(({ pixels, isAd }) => ({
    fill: filling(pixels, request),
    target: Number(isAd),
    features: null,
  }));
}

/**
 * The same with what a teacher sees in each (its features, standardised), under soft labels (Hinton et al.
 * 2015): half the person's word, half the teacher's, whose head has not learnt from the picture it speaks of.
 */
export async function taughtLessons(
  pictures: readonly LabelledPicture[],
  teacher: Extractor,
  request: LessonRequest,
): Promise<Lesson[]> {
  const views = await viewsOf(pictures, request);
  const { width } = teacher;
  const features = await seenBy(teacher, views, request);
  const isAd = views.map((view) => view.isAd);
  const all: TrainingExamples = { width, features, views: [], isAd };
  const said = await crossFitted(all, views.length / Math.max(1, pictures.length), request.signal);
  const { mean, factor } = scalingOf(all);
  return views.map(({ pixels, isAd: truth }, i) => ({
    fill: filling(pixels, request),
    target: TEACHERS_WORD * (said[i] ?? Number(truth)) + (1 - TEACHERS_WORD) * Number(truth),
    features: features
      .slice(i * width, (i + 1) * width)
      .map((value, c) => (value - (mean[c] ?? 0)) * (factor[c] ?? 0)),
  }));
}

async function seenBy(
  teacher: Extractor,
  views: readonly View[],
  { say, signal }: LessonRequest,
): Promise<Float32Array> {
  const progress = progressOf('what the teacher sees', views.length, say);
  const features = new Float32Array(views.length * teacher.width);
  for (const [i, { pixels }] of views.entries()) {
    features.set(await teacher.extract(pixels), i * teacher.width);
    progress.advance();
    signal?.throwIfAborted();
  }
  progress.end();
  return features;
}

function filling(pixels: Uint8Array, { normalization }: LessonRequest): Lesson['fill'] {
  return (batch, at) => fillNormalized(pixels, normalization, batch, at);
}

/** Puts a picture into a batch as a network sees it. */
export function fillNormalized(
  pixels: Uint8Array,
  { mean, std }: { readonly mean: number; readonly std: number },
  batch: Float32Array,
  at: number,
): void {
  for (let p = 0; p < pixels.length; p++) batch[at + p] = ((pixels[p] ?? 0) - mean) / std;
}

/**
 * p(ad) of each row by a head that was fitted on the other half of the pictures; views go with their picture.
 */
async function crossFitted(
  all: TrainingExamples,
  views: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const halfOf = (row: number) => Math.floor(row / views / 2) % 2;
  const said = new Float64Array(all.isAd.length).fill(Number.NaN);
  for (const half of [0, 1]) {
    const own = rowsOf(all, (row) => halfOf(row) === half);
    const other = rowsOf(all, (row) => halfOf(row) !== half);
    if (![own, other].every(({ isAd }) => isAd.includes(true) && isAd.includes(false))) continue;
    const settings = { ...TEACHERS_HEAD, classWeights: balancedWeights(other.isAd) };
    const { kernel, bias } = await fitHead(other, own, settings, signal ? { signal } : {});
    const parameters = Float32Array.of(...kernel, ...bias);
    const plain = { mean: new Float64Array(all.width), factor: new Float64Array(all.width).fill(1) };
    const logits = logitsOf(parameters, own, plain);
    own.rows.forEach((row, i) => {
      said[row] = 1 / (1 + Math.exp((logits[2 * i] ?? 0) - (logits[2 * i + 1] ?? 0)));
    });
  }
  return said.map((value, row) => (Number.isNaN(value) ? Number(all.isAd[row]) : value));
}

function rowsOf(all: TrainingExamples, keep: (row: number) => boolean) {
  const rows = all.isAd.map((_, row) => row).filter(keep);
  const features = new Float32Array(rows.length * all.width);
  rows.forEach((row, i) =>
    features.set(all.features.subarray(row * all.width, (row + 1) * all.width), i * all.width),
  );
  return { width: all.width, features, views: [], isAd: rows.map((row) => all.isAd[row] ?? false), rows };
}

async function viewsOf(
  pictures: readonly LabelledPicture[],
  { preprocess, augmentation, signal }: LessonRequest,
): Promise<View[]> {
  const views: View[] = [];
  for (const { pixels, isAd } of pictures) {
    const key = pictureKey(pixels);
    views.push({ pixels, isAd });
    for (let view = 1; view <= augmentation.views; view++)
      views.push({ pixels: await augment(pixels, preprocess, key, view, augmentation), isAd });
    signal?.throwIfAborted();
  }
  return views;
}
