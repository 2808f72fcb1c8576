import { join } from 'node:path';
import type { Manifest, TestMetrics } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { testPattern } from '@adbreak/shared/video/patterns.js';
import { metricsOf, type Scored } from '../assess/metrics.js';
import { convertToFloat, convertToInt8 } from '../convert/convert.js';
import type { Dataset, Recording } from '../dataset/recordings.js';
import { efficientNetLite0, LITE0_INPUT, LITE0_NORMALIZATION } from '../nn/efficientnet-lite0.js';
import type { Graph } from '../nn/graph.js';
import { smallNet } from '../nn/small-net.js';
import type { WeightFile } from '../weights/read.js';
import { sourceOf } from '../weights/sources.js';
import {
  backboneExtractor,
  type Extractor,
  examplesOf,
  histogramExtractor,
  labelledFrames,
  type Sampling,
} from './extract.js';
import { type Examples, fitHead, type Head } from './head.js';
import { fitSmallNet, type LabelledPixels } from './small-net.js';
import { unsureReferenceOf } from './unsure.js';

export interface TrainRequest {
  readonly name: string;
  readonly version: string;
  readonly dataset: Dataset;
  /** Pretrained EfficientNet-Lite0, or null for the small network from scratch. */
  readonly pretrained: WeightFile | null;
  readonly output: string;
  readonly cache: string;
  readonly fps: number;
  readonly threads: number;
  readonly seed: number;
  readonly now: Date;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
export interface TrainResult {
  readonly manifest: Manifest;
  readonly baseline: TestMetrics;
}

const PREPROCESS: Preprocess = { width: LITE0_INPUT, height: LITE0_INPUT, scaler: 'area' };
const NORMALIZATION = LITE0_NORMALIZATION;
const CALIBRATION_FRAMES = 32;
const GOLDEN_PATTERNS = 3;
/** The small network learns from so many frames at most, spread evenly: more take minutes and add little. */
const SMALL_NET_FRAMES = 450;
const SMALL_NET_EPOCHS = 9;

/**
 * Backbone -> cached features -> head -> INT8 TFLite -> metrics measured on that INT8 file through the Pi's runtime.
 * Writes model.tflite, manifest.json and report.json into `output`. Once the signal is aborted it ends with an AbortError
 * at the next frame or epoch; its cache then holds whole recordings only.
 */
export async function train(request: TrainRequest, runtime: TfliteRuntime): Promise<TrainResult> {
  const { dataset, say, signal, fps } = request;
  const interruptible = signal && { signal };
  const sampling = { preprocess: PREPROCESS, fps, ...interruptible };
  const backbone = await backboneOf(request, sampling);
  using features = await backboneExtractor(runtime, convertToFloat(backbone), NORMALIZATION, request.threads);
  const histograms = histogramExtractor();
  let seen = 0;
  const extract = (split: 'train' | 'val' | 'test', extractors: Extractor[]) =>
    examplesOf(dataset[split], extractors, {
      ...sampling,
      cache: request.cache,
      onFrame: () => {
        seen += 1;
        if (seen % 500 === 0) say(`  features of ${seen} frames`);
      },
    });
  const [trained = missing(), trainedHistograms = missing()] = await extract('train', [features, histograms]);
  const [validation = missing(), validationHistograms = missing()] = await extract('val', [
    features,
    histograms,
  ]);
  say(`train ${describe(trained)}; val ${describe(validation)}`);

  const head = await fitHead(trained, validation, { seed: request.seed, ...interruptible });
  say(
    `head: ${head.epochs} epochs, validation loss ${head.validationLoss.toFixed(3)}, temperature ${head.temperature.toFixed(2)}`,
  );
  const calibration = await reservoir(
    dataset.train,
    { ...sampling, fps: fps / 4 },
    CALIBRATION_FRAMES,
    `calibration/${request.seed}`,
  );
  const model = await convertToInt8(
    withHead(backbone, head),
    runtime,
    calibration.map(({ pixels }) => pixels),
    { normalization: NORMALIZATION, threads: request.threads, ...interruptible },
  );
  using classifier = new AdClassifier(await runtime.open(model, { threads: request.threads }), NORMALIZATION);
  const metrics = metricsOf(await score(classifier, dataset.test, sampling));
  say(
    `INT8 model on test: accuracy ${metrics.accuracy.toFixed(3)}, F1 ${metrics.f1.toFixed(3)}, AUC ${metrics.rocAuc.toFixed(3)}, ECE ${metrics.ece.toFixed(3)}`,
  );

  const [testHistograms = missing()] = await extract('test', [histograms]);
  const baseline = metricsOf(
    predict(
      await fitHead(trainedHistograms, validationHistograms, { seed: request.seed, ...interruptible }),
      testHistograms,
    ),
  );
  say(`colour-histogram baseline on test: F1 ${baseline.f1.toFixed(3)}`);
  // A picture a second or two is enough to know what there is.
  const sparse = { ...sampling, fps: fps / 4 };
  const unsure = await unsureReferenceOf(
    model,
    runtime,
    {
      training: labelledFramesOf(dataset.train, sparse),
      validation: labelledFramesOf(dataset.val, sparse),
    },
    { normalization: NORMALIZATION, threads: request.threads },
  );
  const manifest = { ...(await manifestOf(request, backbone, model, classifier, metrics)), unsure };
  await writeAtomic(join(request.output, 'model.tflite'), model);
  await writeAtomic(join(request.output, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const report = {
    manifest,
    baseline,
    head: { epochs: head.epochs, validationLoss: head.validationLoss, temperature: head.temperature },
    frames: { train: trained.isAd.length, val: validation.isAd.length, test: metrics.frames },
  };
  await writeAtomic(join(request.output, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  return { manifest, baseline };
}

async function backboneOf(
  { pretrained, dataset, seed, say }: TrainRequest,
  sampling: Sampling,
): Promise<Graph> {
  if (pretrained !== null) {
    say('backbone: EfficientNet-Lite0 with pretrained ImageNet weights');
    return efficientNetLite0(sourceOf(pretrained.tensors, 'efficientnet_lite0'), { classes: null });
  }
  say('backbone: small network trained from scratch (no pretrained weights here)');
  const examples = await reservoir(dataset.train, sampling, SMALL_NET_FRAMES, `small-net/${seed}`);
  const layers = await fitSmallNet(examples, NORMALIZATION, {
    seed,
    epochs: SMALL_NET_EPOCHS,
    ...(sampling.signal && { signal: sampling.signal }),
    onEpoch: (epoch, loss) => say(`  epoch ${epoch} of ${SMALL_NET_EPOCHS}: loss ${loss.toFixed(3)}`),
  });
  return smallNet(layers);
}

function withHead(backbone: Graph, { kernel, bias }: Head): Graph {
  const width = kernel.length / 2;
  return {
    name: backbone.name,
    nodes: [
      ...backbone.nodes,
      {
        op: 'dense',
        name: 'logits',
        input: 'features',
        kernel: { shape: [2, width], data: kernel },
        bias,
        batchNorm: null,
        activation: 'none',
      },
      { op: 'softmax', name: 'probabilities', input: 'logits' },
    ],
  };
}

/** A uniform sample of the labelled frames, without knowing how many there are (Vitter 1985, algorithm R). */
async function reservoir(
  recordings: readonly Recording[],
  sampling: Sampling,
  size: number,
  seed: string,
): Promise<LabelledPixels[]> {
  const random = seeded(seed);
  const kept: LabelledPixels[] = [];
  let seen = 0;
  for (const recording of recordings) {
    for await (const { pixels, isAd } of labelledFrames(recording, sampling)) {
      seen += 1;
      const place = kept.length < size ? kept.length : random.integer(seen);
      if (place < size) kept[place] = { pixels, isAd };
    }
  }
  return kept;
}

async function* labelledFramesOf(recordings: readonly Recording[], sampling: Sampling) {
  for (const recording of recordings) yield* labelledFrames(recording, sampling);
}

async function score(
  classifier: AdClassifier,
  recordings: readonly Recording[],
  sampling: Sampling,
): Promise<Scored[]> {
  const scored: Scored[] = [];
  for (const recording of recordings) {
    for await (const { pixels, isAd } of labelledFrames(recording, sampling))
      scored.push({ probability: await classifier.adProbability(pixels), isAd });
  }
  return scored;
}

function predict({ kernel, bias }: Head, { features, width, isAd }: Examples): Scored[] {
  return isAd.map((ad, row) => {
    let margin = (bias[1] ?? 0) - (bias[0] ?? 0);
    for (let i = 0; i < width; i++)
      margin += ((kernel[width + i] ?? 0) - (kernel[i] ?? 0)) * (features[row * width + i] ?? 0);
    return { probability: 1 / (1 + Math.exp(-margin)), isAd: ad };
  });
}

async function manifestOf(
  request: TrainRequest,
  backbone: Graph,
  model: Uint8Array,
  classifier: AdClassifier,
  metrics: TestMetrics,
): Promise<Manifest> {
  const golden = [];
  for (let pattern = 0; pattern < GOLDEN_PATTERNS; pattern++)
    golden.push({
      pattern,
      ad: await classifier.adProbability(testPattern(pattern, PREPROCESS.width, PREPROCESS.height)),
    });
  return {
    schema: 1,
    name: request.name,
    version: request.version,
    digest: sha256(model),
    bytes: model.byteLength,
    architecture: backbone.name === 'efficientnet_lite0' ? 'efficientnet_lite0' : 'small_net',
    weights: request.pretrained === null ? 'scratch' : 'pretrained',
    labels: ['content', 'ad'],
    preprocess: { ...PREPROCESS, ...NORMALIZATION },
    input: { type: 'int8', shape: [...(classifier.input?.shape ?? [])] },
    golden,
    metrics,
    createdAt: request.now.toISOString(),
  };
}

function describe({ isAd }: Examples): string {
  return `${isAd.length} frames, ${Math.round((100 * isAd.filter(Boolean).length) / Math.max(1, isAd.length))} % ad`;
}
function missing(): never {
  throw new AdbreakError('training_failed', 'Cannot train: the features are missing');
}
