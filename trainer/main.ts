import { join } from 'node:path';
import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { Command, InvalidArgumentError } from 'commander';
import { addConvertCommand } from './convert/command.js';
import { addDatasetCommands, labelMapOption, splitRatioOption } from './dataset/command.js';
import { datasetOfOne } from './dataset/cut.js';
import type { SplitRatio } from './dataset/ratio.js';
import { type Dataset, openDataset, readLabels } from './dataset/recordings.js';
import { train } from './fit/train.js';
import { addModelCommands } from './inspect/command.js';
import { natural, positive } from './options.js';
import { addWeightsCommands } from './weights/command.js';
import { storedWeights } from './weights/store.js';

/** The trainer's commands; `adbreak dataset|train|weights|convert|model` starts this file. */
const program = new Command('adbreak').exitOverride().enablePositionalOptions();
const interruption = onInterruption();
const { signal } = interruption;

addDatasetCommands(program, signal);

program
  .command('train')
  .description('train a model on a data set and convert it to INT8 TFLite')
  .requiredOption('--output <dir>', 'folder for model.tflite, manifest.json and report.json')
  .option('--data <dir>', 'data set: train/, val/, test/ with NAME.mkv and NAME.csv')
  .option('--video <file>', 'a recording of your own instead, divided by time')
  .option('--labels <file>', 'its labels: CSV (start,end,label), EDL, or comskip’s .txt')
  .addOption(splitRatioOption())
  .addOption(labelMapOption())
  .option(
    '--only <names>',
    'train on these recordings alone (comma-separated); val and test stay whole',
    (text: string) => text.split(','),
  )
  .option('--first <seconds>', 'use only the beginning of each training recording', positive)
  .option('--name <name>', 'model name', matching(MODEL_NAME), 'base-ad-detector')
  .option('--version <version>', 'model version', matching(VERSION), '1.0.0')
  .option('--weights <which>', 'pretrained (as pulled), scratch, or auto', 'auto')
  .option('--fps <n>', 'frames a second', positive, 2)
  .option(
    '--threads <n>',
    'threads of the runtime; more than there are idle cores make it slower by far',
    natural,
    1,
  )
  .option('--seed <n>', 'seed', natural, 1)
  .option('--cache <dir>', 'folder for cached features', '.work/features')
  .action(
    async (options: {
      output: string;
      data?: string;
      video?: string;
      labels?: string;
      splitRatio: SplitRatio;
      labelMap: LabelWords;
      only?: string[];
      first?: number;
      name: string;
      version: string;
      weights: string;
      fps: number;
      threads: number;
      seed: number;
      cache: string;
    }) => {
      const pretrained = options.weights === 'scratch' ? null : await storedWeights('efficientnet_lite0');
      if (options.weights === 'pretrained' && pretrained === null)
        throw new AdbreakError(
          'weights_unavailable',
          'Cannot train with pretrained weights: none are stored',
        );
      const result = await train(
        {
          ...options,
          dataset: await datasetOf(options),
          pretrained,
          now: new Date(),
          say: (line) => console.log(line),
          signal,
        },
        openRuntime('tflite'),
      );
      console.log(
        `wrote ${join(options.output, 'model.tflite')} (${result.manifest.bytes} bytes, ${result.manifest.architecture}, ${result.manifest.weights})`,
      );
    },
  );

addWeightsCommands(program, signal);
addConvertCommand(program, signal);
addModelCommands(program, signal);

interface DataOptions {
  splitRatio: SplitRatio;
  labelMap: LabelWords;
  data?: string;
  video?: string;
  labels?: string;
  only?: string[];
  first?: number;
}

async function datasetOf(options: DataOptions): Promise<Dataset> {
  const { only, first = Number.POSITIVE_INFINITY } = options;
  const all = await recordingsOf(options);
  const train = all.train.filter(({ name }) => only === undefined || only.includes(name));
  return {
    ...all,
    train: train.map((recording) => ({
      ...recording,
      spans: recording.spans.filter(({ start }) => start < first),
    })),
  };
}

async function recordingsOf({ data, video, labels, splitRatio, labelMap }: DataOptions): Promise<Dataset> {
  if (video !== undefined) {
    if (labels === undefined)
      throw new AdbreakError('labels_invalid', 'Cannot train: --video needs --labels');
    return datasetOfOne(video, await readLabels(labels, { video, words: labelMap }), splitRatio);
  }
  if (data === undefined)
    throw new AdbreakError(
      'input_invalid',
      'Cannot train: give --data DIR, or --video FILE with --labels CSV',
    );
  return openDataset(data);
}

function matching(pattern: RegExp) {
  return (text: string) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`It must match ${pattern.source}.`);
    return text;
  };
}

await runProgram(() => program.parseAsync(), interruption);
