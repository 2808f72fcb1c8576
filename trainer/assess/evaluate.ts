import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { openRuntime, type RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import type { SampleSource, ScoredSample } from '../ports.js';
import type { Hash } from './alike.js';
import type { AssessedSplit } from './assessment.js';
import { benchmark } from './benchmark.js';
import { type Comparison, compareModels } from './comparison.js';
import { ensembleOf } from './ensemble.js';
import type { Benchmark } from './latency.js';
import { type LoadedModel, subjectOf } from './models.js';
import { type AssessedRun, assessRun } from './run.js';
import { scoreSplit } from './score.js';
import { openSource } from './source.js';

interface MeasureOptions {
  /** Folder of the data set. */
  readonly data: string;
  /** Pictures a second of a recording. */
  readonly fps: number;
  /** Other words in labels of recordings. */
  readonly labelMap: LabelWords;
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  readonly seed: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}
interface EvaluateOptions extends MeasureOptions {
  readonly output: string;
  readonly splits: readonly AssessedSplit[];
  readonly now: Date;
}

/**
 * One model, or several as one, on a data set: scores, benchmark, assessment, and the files of `assessRun`.
 */
export async function evaluateOn(
  models: readonly LoadedModel[],
  options: EvaluateOptions,
): Promise<AssessedRun> {
  const source = await openSource(options.data, options.fps, options.labelMap);
  const scored: Partial<Record<AssessedSplit, readonly ScoredSample[]>> = {};
  const fingerprints: Partial<Record<AssessedSplit, readonly Hash[]>> = {};
  for (const split of options.splits) {
    const one = await scoreAll(models, source, split, options);
    scored[split] = one.scored;
    fingerprints[split] = one.hashes;
    options.say(`${split}: ${one.scored.length} pictures`);
  }
  if (scored.test?.length === 0) throw withoutPictures(options.data);
  const [first, ...others] = models;
  // Several models were never chosen a decision for as one.
  const decision = others.length === 0 ? first?.manifest.decision : undefined;
  return assessRun({
    ...options,
    ...{ scored, fingerprints, epochs: [], fingerprint: source.fingerprint },
    subject: subjectOf(models),
    parameters: { data: options.data, fps: String(options.fps) },
    benchmark: await benchmark(models.map(onDisk), options),
    ...(decision !== undefined && { decision }),
  });
}

/** Two models on the test split of one data set. */
export async function compareOn(
  models: readonly [LoadedModel, LoadedModel],
  options: MeasureOptions,
): Promise<{ readonly comparison: Comparison; readonly benchmarks: readonly Benchmark[] }> {
  const source = await openSource(options.data, options.fps, options.labelMap);
  const contender = async (model: LoadedModel) => {
    const { scored } = await scoreSplit(model, openRuntime(options.runtime), source, 'test', options);
    return { scored, decision: model.manifest.decision ?? DEFAULT_DECIDER };
  };
  // One after the other: side by side they would take the cores from each other.
  const a = await contender(models[0]);
  if (a.scored.length === 0) throw withoutPictures(options.data);
  const b = await contender(models[1]);
  const benchmarks: Benchmark[] = [];
  for (const model of models) benchmarks.push(await benchmark([onDisk(model)], options));
  return { comparison: compareModels(a, b, options.seed), benchmarks };
}

async function scoreAll(
  models: readonly LoadedModel[],
  source: SampleSource,
  split: AssessedSplit,
  options: EvaluateOptions,
): Promise<{ readonly scored: readonly ScoredSample[]; readonly hashes: readonly Hash[] }> {
  const all = [];
  for (const model of models)
    all.push(await scoreSplit(model, openRuntime(options.runtime), source, split, options));
  return { scored: ensembleOf(all.map(({ scored }) => scored)), hashes: all[0]?.hashes ?? [] };
}

function onDisk({ path, manifest: { preprocess } }: LoadedModel) {
  return { path, preprocess };
}

function withoutPictures(data: string): AdbreakError {
  return new AdbreakError(
    'input_invalid',
    `Cannot measure: the test split of ${data} has no labelled picture`,
  );
}
