import { join } from 'node:path';
import type { Manifest, TestMetrics } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { metricsOf } from '../assess/metrics.js';
import type { Scored } from '../assess/ranked.js';
import { flatText } from '../config/read.js';
import type { TrainingConfig } from '../config/schema.js';
import { convertToFloat } from '../convert/convert.js';
import type { RunOutcome, SampleSource, Tracker } from '../ports.js';
import { backboneOf } from './backbone.js';
import { checkpointPath, removeCheckpoint } from './checkpoint.js';
import { describe, type Seen, type SeenDeep, seen, seenDeep } from './data.js';
import type { Examples } from './examples.js';
import { backboneExtractor, type Extractor } from './extractors.js';
import { fineTuned } from './fine-tune.js';
import { crossValidated, fitted, headSettings } from './fitting.js';
import { follow } from './follow.js';
import { fitHead, type Head } from './head.js';
import { int8Of } from './int8.js';
import type { Registry } from './registry.js';
import { formatVerdict, type Verdict, verdictsOf } from './requirements.js';
import { configurationDigest, deciding, json, manifestOf, writeResults } from './results.js';
import { type Scoring, scoreSplit } from './score.js';

export interface TrainRequest {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly trackers: readonly Tracker[];
  readonly resume: boolean;
  /** With `resume`: no more epochs. */
  readonly finish: boolean;
  /** Null: nothing is uploaded. */
  readonly registry: Registry | null;
  /** Version of the trainer. */
  readonly code: string;
  readonly now: Date;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
/** A request with what follows from it. */
interface Run extends TrainRequest {
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  readonly tracker: Tracker;
}
interface Data {
  readonly train: SeenDeep;
  readonly val: SeenDeep;
  readonly test: Seen;
}
interface Result {
  readonly manifest: Manifest;
  readonly model: Uint8Array;
  readonly verdicts: readonly Verdict[];
  readonly outcome: RunOutcome;
}
const NOTHING = { metrics: {}, histograms: [], pictures: [], scored: [], files: [] } as const;

/**
 * Backbone -> cached features -> head -> INT8 TFLite -> metrics measured on that INT8 file through the Pi's
 * runtime -> requirements -> registry. Writes model.tflite, manifest.json, configuration.yaml and report.json
 * into `output.path`. Once the signal is aborted it ends with an AbortError at the next picture or epoch;
 * what the cache and the checkpoint then hold is whole. Throws `requirements_missed` where the registry gets
 * nothing because of them.
 */
export async function train(request: TrainRequest, runtime: TfliteRuntime): Promise<void> {
  const { config, registry, say, now } = request;
  const { name, version, input_shape: shape } = config.model;
  await registry?.checkFree(name, version);
  const tracker = follow(request.trackers, say);
  const preprocess: Preprocess = { width: shape[1], height: shape[0], scaler: 'area' };
  await tracker.begin({ name, version, startedAt: now, parameters: flatText(config) });
  const result = await trained({ ...request, runtime, preprocess, tracker }).catch(async (error: unknown) => {
    await tracker.end({ ...NOTHING, status: request.signal?.aborted ? 'interrupted' : 'failed' });
    throw error;
  });
  await tracker.end(result.outcome);
  const { bytes, architecture, weights } = result.manifest;
  say(`wrote ${join(config.output.path, 'model.tflite')} (${bytes} bytes, ${architecture}, ${weights})`);
  await deploy(request, result);
}

async function trained(run: Run): Promise<Result> {
  const { config, runtime, say } = run;
  // What cannot be measured in the end is refused in the beginning: the test pictures are looked at first.
  const test = await seen('test', run);
  const backbone = await fineTuned(await backboneOf(run), run);
  const { threads, folds, augmentation } = config.training;
  const float = convertToFloat(backbone.graph);
  using extractor = await backboneExtractor(runtime, float, backbone.normalization, threads);
  const val = await seenDeep('val', extractor, folds > 0 ? augmentation.views : 0, run);
  const train = await seenDeep('train', extractor, augmentation.views, run);
  say([describe('train', train), describe('val', val), describe('test', test)].join('; '));
  const data = { train, val, test };
  const head = await headOf(run, data, extractor);
  const crossValidation = await crossValidated(train, val, head.epochs, run);
  const model = await int8Of(backbone, head, { ...run, cache: config.output.cache });
  using classifier = new AdClassifier(await runtime.open(model, { threads }), backbone.normalization);
  const scoring = await scoreSplit(classifier, 'test', head.temperature, {
    ...run,
    total: test.samples.length,
  });
  const metrics = assessed(scoring, run);
  const baseline = await baselineOf(run, data);
  const lineage = lineageOf(run, extractor);
  const manifest = await manifestOf({ ...run, backbone, model, classifier, metrics, lineage });
  const verdicts = verdictsOf(config.deployment.requirements, metrics, scoring.p95Ms);
  const report = {
    manifest,
    baseline,
    head: reported(head),
    crossValidation,
    requirements: verdicts,
    frames: { train: train.samples.length, val: val.samples.length, test: test.samples.length },
  };
  await writeResults(config.output.path, { config, manifest, model, report });
  await removeCheckpoint(checkpointPath(config.output.path));
  return { manifest, model, verdicts, outcome: outcomeOf(metrics, scoring, head) };
}

async function headOf(run: Run, { train, val }: Data, { identity }: Extractor): Promise<Head> {
  const { model, dataset, training } = deciding(run.config);
  const binding = {
    ...flatText({ model, dataset, training }),
    'the data set': run.samples.fingerprint,
    'the network': identity,
  };
  const head = await fitted(train.features, val.features, { ...run, binding });
  run.say(formatHead(head));
  return head;
}

function formatHead({ epochs, history, validationLoss, temperature }: Head): string {
  return (
    `head: epoch ${epochs} of ${history.length} is the best, ` +
    `validation loss ${validationLoss.toFixed(3)}, temperature ${temperature.toFixed(2)}`
  );
}

/** The figures of the test pictures, for the manifest, the requirements and whoever reads along. */
function assessed({ scored, p95Ms }: Scoring, { say }: Run): TestMetrics {
  const metrics = metricsOf(scored);
  const [accuracy, f1, auc, ece] = [metrics.accuracy, metrics.f1, metrics.rocAuc, metrics.ece].map((value) =>
    value.toFixed(3),
  );
  say(
    `INT8 model on test: accuracy ${accuracy}, F1 ${f1}, AUC ${auc}, ECE ${ece}; ` +
      `95 of 100 pictures within ${p95Ms.toFixed(1)} ms`,
  );
  return metrics;
}

/** The same head on colour histograms: whoever cannot beat it has learnt nothing. */
async function baselineOf({ config, say, signal }: Run, { train, val, test }: Data): Promise<TestMetrics> {
  const settings = headSettings(config, train.histograms);
  const head = await fitHead(train.histograms, val.histograms, settings, signal ? { signal } : {});
  const baseline = metricsOf(predict(head, test.histograms));
  say(`colour-histogram baseline on test: F1 ${baseline.f1.toFixed(3)}`);
  return baseline;
}

function predict({ kernel, bias }: Head, { features, width, isAd }: Examples): Scored[] {
  return isAd.map((ad, row) => {
    let margin = (bias[1] ?? 0) - (bias[0] ?? 0);
    for (let i = 0; i < width; i++)
      margin += ((kernel[width + i] ?? 0) - (kernel[i] ?? 0)) * (features[row * width + i] ?? 0);
    return { probability: 1 / (1 + Math.exp(-margin)), isAd: ad };
  });
}

function lineageOf({ config, samples, code }: Run, { identity }: Extractor) {
  return {
    dataset: samples.fingerprint,
    configuration: configurationDigest(config),
    parent: identity,
    code,
    seed: config.training.seed,
  };
}

function reported({ epochs, validationLoss, temperature, history }: Head) {
  return { epochs, validationLoss, temperature, history };
}

function outcomeOf(metrics: TestMetrics, { scored }: Scoring, { kernel }: Head): RunOutcome {
  const { accuracy, precision, recall, f1, rocAuc, ece } = metrics;
  return {
    ...NOTHING,
    status: 'finished',
    metrics: {
      'test/accuracy': accuracy,
      'test/precision': precision,
      'test/recall': recall,
      'test/f1_score': f1,
      'test/roc_auc': rocAuc,
      'test/ece': ece,
    },
    histograms: [{ tag: 'head/kernel', values: kernel }],
    scored,
  };
}

/** Tells the requirements, and uploads what meets them. */
async function deploy({ config, registry, say }: TrainRequest, result: Result): Promise<void> {
  const { manifest, model, verdicts } = result;
  for (const verdict of verdicts) say(formatVerdict(verdict));
  if (registry === null) return;
  const { name, version } = config.model;
  const missed = verdicts.filter(({ met }) => !met);
  if (missed.length > 0)
    throw new AdbreakError(
      'requirements_missed',
      `Cannot upload ${name} ${version}: ${missed.map(formatVerdict).join('; ')}`,
    );
  await registry.upload(name, version, { manifest: json(manifest), model });
  say(`uploaded ${name} ${version}`);
}
