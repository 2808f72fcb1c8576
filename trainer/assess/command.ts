import { join } from 'node:path';
import { printable } from '@adbreak/shared/errors.js';
import { RUNTIME_CHOICES, type RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { labelMapOption } from '../dataset/command.js';
import { natural, positive } from '../options.js';
import type { Assessment } from './assessment.js';
import { formatComparison } from './comparison-text.js';
import { compareOn, evaluateOn } from './evaluate.js';
import { loadModel } from './models.js';
import { openRunLog } from './run-log.js';

interface Flags {
  readonly data: string;
  readonly fps: number;
  readonly labelMap: LabelWords;
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  readonly seed: number;
}
interface Requirements {
  readonly minAccuracy?: number;
  readonly minF1Score?: number;
  readonly maxInferenceTimeMs?: number;
}
type EvaluateFlags = Flags & Requirements & { readonly output: string; readonly train: boolean };

/** `adbreak evaluate` and `adbreak models compare`. */
export function addAssessCommands(program: Command, signal: AbortSignal): void {
  withData(program.command('evaluate <models...>'))
    .description('measure a model on a labelled data set; several models are evaluated as one')
    .option('--output <dir>', 'folder for the results, the report and the log', 'evaluation_results')
    .option('--train', 'score the training split too, to see whether the model is overfitted', false)
    .option('--min-accuracy <share>', 'end with exit code 1 where the accuracy is lower', share)
    .option('--min-f1-score <share>', 'or the F1 score', share)
    .option('--max-inference-time-ms <n>', 'or where 95 of 100 pictures take longer than this', positive)
    .action((paths: string[], flags: EvaluateFlags) => evaluate(paths, flags, signal));
  const models = program.command('models').description('models side by side');
  withData(models.command('compare <a> <b>'))
    .description('two models on the same pictures: which is better, and whether that is more than chance')
    .option('--json', 'as JSON', false)
    .action((a: string, b: string, flags: Flags & { json: boolean }) => compare([a, b], flags, signal));
}

function withData(command: Command): Command {
  const runtime = new Option('--runtime <which>', 'what runs them');
  return command
    .requiredOption(
      '--data <dir>',
      'data set: val/ and test/ with recordings and labels, or with ad/ and content/',
    )
    .option('--fps <n>', 'pictures a second of a recording', positive, 2)
    .addOption(labelMapOption())
    .option('--threads <n>', 'threads of the runtime', natural, 1)
    .option('--seed <n>', 'seed of the bootstrap', natural, 1)
    .addOption(runtime.choices([...RUNTIME_CHOICES]).default('auto'));
}

async function evaluate(paths: readonly string[], flags: EvaluateFlags, signal: AbortSignal): Promise<void> {
  const models = [];
  for (const path of paths) models.push(await loadModel(path));
  const log = join(flags.output, 'training.log');
  await using lines = await openRunLog(log, { goesOn: false, now: () => new Date(), trouble: console.error });
  const say = (line: string) => {
    console.log(printable(line));
    lines.write(line);
  };
  const splits = flags.train ? (['train', 'val', 'test'] as const) : (['val', 'test'] as const);
  const { assessment } = await evaluateOn(models, { ...flags, splits, now: new Date(), say, signal });
  if (misses(assessment, flags)) process.exitCode = 1;
}

function misses({ splits: { test }, benchmark }: Assessment, required: Requirements): boolean {
  const { minAccuracy = 0, minF1Score = 0, maxInferenceTimeMs = Number.POSITIVE_INFINITY } = required;
  return (
    (test?.metrics.accuracy ?? 0) < minAccuracy ||
    (test?.metrics.f1 ?? 0) < minF1Score ||
    (benchmark?.p95Ms ?? 0) > maxInferenceTimeMs
  );
}

async function compare(
  paths: readonly [string, string],
  { json, ...flags }: Flags & { json: boolean },
  signal: AbortSignal,
): Promise<void> {
  const models = [await loadModel(paths[0]), await loadModel(paths[1])] as const;
  const say = (line: string) => console.error(printable(line));
  const { comparison, benchmarks } = await compareOn(models, { ...flags, say, signal });
  const lines = json
    ? [JSON.stringify({ ...comparison, benchmarks }, null, 2)]
    : formatComparison(comparison, paths, benchmarks).map((line) => printable(line));
  for (const line of lines) console.log(line);
}

function share(text: string): number {
  const value = Number(text);
  if (!(text.trim() !== '' && value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be from 0 to 1.');
  return value;
}
