import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest, TestMetrics } from '@adbreak/shared/contract/manifest.js';
import { explain, hasCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { benchmark } from '../assess/benchmark.js';
import { type Choice, chooseDecision } from '../assess/choice.js';
import type { Benchmark } from '../assess/latency.js';
import { metricsOf } from '../assess/metrics.js';
import { type AssessedRun, assessRun } from '../assess/run.js';
import { flatText, withoutSecrets } from '../config/read.js';
import type { TrainingConfig } from '../config/schema.js';
import { inspect } from '../inspect/inspect.js';
import type { EpochRecord, SampleSource, ScoredSample } from '../ports.js';
import type { Seen, SeenDeep } from './data.js';
import { type HeadValidation, headSettings } from './fitting.js';
import { fitHead, type Head } from './head.js';
import { type Judged, judge, predict, scoredByFloat } from './judge.js';
import type { Backbone } from './networks.js';
import { type Verdict, verdictsOf } from './requirements.js';
import { configurationDigest, manifestOf } from './results.js';

export interface Data {
  readonly train: SeenDeep;
  readonly val: SeenDeep;
  readonly test: Seen;
}
/** A model that nobody has measured yet. */
export interface Made {
  readonly data: Data;
  readonly backbone: Backbone;
  /** Whether it has learnt from this data set: it was tuned, taught, or trained from nothing. */
  readonly hasSeen: boolean;
  /** SHA-256 of the network before its head. */
  readonly digest: string;
  readonly head: Head;
  readonly model: Uint8Array;
}
export interface Measured extends Pick<Made, 'model' | 'head'> {
  readonly manifest: Manifest;
  readonly verdicts: readonly Verdict[];
  readonly judged: Judged;
  readonly assessed: AssessedRun;
}
interface MeasureRequest {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  /** Version of the trainer. */
  readonly code: string;
  readonly now: Date;
  /** Of every stage that ran in this run. */
  readonly epochs: readonly EpochRecord[];
  readonly crossValidation: HeadValidation | null;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * What the INT8 file is worth, through the Pi's runtime: the manifest with its metrics, decision and
 * reference of what is unlike training; the requirements; training_results.json and report.html in
 * `output.path`. The model itself is not written.
 */
export async function measure(made: Made, request: MeasureRequest): Promise<Measured> {
  const { config, signal } = request;
  const { data, head, model, backbone } = made;
  const judged = await judge(
    model,
    { ...data, test: data.test.samples.length },
    {
      ...{ ...request, normalization: backbone.normalization },
      ...{ threads: config.training.threads, temperature: head.temperature },
      cache: config.output.cache,
    },
  );
  const scored = {
    ...{ train: scoredByFloat(data.train, head), val: scoredByFloat(data.val, head) },
    test: judged.test.scored,
  };
  const choice = chooseDecision(scored.val);
  const manifest = await manifestFor(made, judged, choice, request);
  const baseline = await baselineOf(data, request);
  const speed = await speedOf(model, manifest.preprocess, { ...config, ...(signal && { signal }) });
  const verdicts = verdictsOf(config.deployment.requirements, manifest.metrics, speed.p95Ms);
  const assessed = await assessedRun(made, { scored, choice, manifest, speed, verdicts, baseline }, request);
  return { model, head, manifest, verdicts, judged, assessed };
}

async function manifestFor(
  made: Made,
  { test, unsure }: Judged,
  { decision }: Choice,
  request: MeasureRequest,
): Promise<Manifest> {
  const { backbone, digest, model } = made;
  const { config, runtime, samples, code, say } = request;
  const { threads, seed } = config.training;
  using classifier = new AdClassifier(await runtime.open(model, { threads }), backbone.normalization);
  const metrics = metricsOf(test.scored);
  const { accuracy, f1, rocAuc, ece } = metrics;
  const figures = [`accuracy ${rounded(accuracy)}`, `F1 ${rounded(f1)}`, `AUC ${rounded(rocAuc)}`];
  say(`INT8 model on test: ${figures.join(', ')}, ECE ${rounded(ece)}`);
  // Awaited here: at the end of this function the classifier is gone.
  return await manifestOf({
    ...{ ...request, backbone, model, classifier, metrics },
    lineage: {
      ...{ dataset: samples.fingerprint, configuration: configurationDigest(config) },
      ...{ parent: digest, code, seed },
    },
    decision,
    unsure,
  });
}

/**
 * The same head on colour histograms: whoever cannot beat it has learnt nothing. Null where its fit loses its
 * way, which must not cost the model.
 */
async function baselineOf({ train, val, test }: Data, request: MeasureRequest): Promise<TestMetrics | null> {
  const { config, say, signal } = request;
  const settings = headSettings(config, train.histograms);
  const head = await fitHead(train.histograms, val.histograms, settings, signal ? { signal } : {}).catch(
    (error: unknown) => {
      if (!hasCode(error, 'training_failed')) throw error;
      say(`no colour-histogram baseline: ${explain(error)}`);
      return null;
    },
  );
  if (head === null) return null;
  const baseline = metricsOf(predict(head, test.histograms));
  say(`colour-histogram baseline on test: F1 ${rounded(baseline.f1)}`);
  return baseline;
}

/** In a process of its own, which opens the file itself. */
async function speedOf(
  model: Uint8Array,
  preprocess: Manifest['preprocess'],
  { output, training, signal }: Pick<TrainingConfig, 'output' | 'training'> & { signal?: AbortSignal },
): Promise<Benchmark> {
  const path = join(output.path, '.measured.tflite');
  try {
    await writeAtomic(path, model);
    const { threads, runtime } = training;
    return await benchmark([{ path, preprocess }], { threads, runtime, ...(signal && { signal }) });
  } finally {
    await rm(path, { force: true });
  }
}

interface Figures {
  readonly scored: Readonly<Record<'train' | 'val' | 'test', readonly ScoredSample[]>>;
  readonly choice: Choice;
  readonly manifest: Manifest;
  readonly speed: Benchmark;
  readonly verdicts: readonly Verdict[];
  readonly baseline: TestMetrics | null;
}

function assessedRun(
  { data, head, model }: Made,
  figures: Figures,
  request: MeasureRequest,
): Promise<AssessedRun> {
  const { config, samples, now, say, signal, epochs, crossValidation } = request;
  const { scored, choice, manifest, speed, verdicts, baseline } = figures;
  const hashesOf = ({ samples: looked }: Seen) => looked.map(({ hash }) => hash);
  const { name, version, architecture, digest, bytes } = manifest;
  const { multiplyAdds } = inspect(readModel(model));
  return assessRun({
    ...{ output: config.output.path, now, say, ...(signal && { signal }) },
    subject: { name, version, architecture, members: [{ digest, bytes, multiplyAdds }] },
    fingerprint: samples.fingerprint,
    scored,
    choice,
    fingerprints: {
      ...{ train: hashesOf(data.train), val: hashesOf(data.val) },
      test: hashesOf(data.test),
    },
    // A head that was resumed has epochs that this run did not see.
    epochs: [...epochs.filter(({ stage }) => stage !== 'head'), ...head.history],
    fitting: { bestEpoch: head.epochs, temperature: head.temperature, crossValidation },
    parameters: flatText(withoutSecrets(config)),
    benchmark: speed,
    requirements: verdicts,
    baselines: baseline === null ? {} : { 'colour histogram': baseline },
    seed: config.training.seed,
  });
}

function rounded(value: number): string {
  return value.toFixed(3);
}
