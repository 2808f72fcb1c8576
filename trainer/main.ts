import { join } from 'node:path';
import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { Command, InvalidArgumentError } from 'commander';
import { addAssessCommands } from './assess/command.js';
import { addConvertCommand } from './convert/command.js';
import { cutRecording, type Piece, planCuts } from './dataset/cut.js';
import {
  beginRecording,
  type Dataset,
  fillDataset,
  openDataset,
  type Recording,
  readLabels,
  SPLITS,
} from './dataset/recordings.js';
import { renderBroadcast } from './dataset/synthetic/broadcast.js';
import { CHANNELS, type Channel } from './dataset/synthetic/channels.js';
import { train } from './fit/train.js';
import { addModelCommands } from './inspect/command.js';
import { natural, positive } from './options.js';
import { addWeightsCommands } from './weights/command.js';
import { storedWeights } from './weights/store.js';

/** The trainer's commands; `adbreak dataset|train|weights|convert|model|evaluate|models compare` starts this file. */
const program = new Command('adbreak').exitOverride().enablePositionalOptions();
const interruption = onInterruption();
const { signal } = interruption;

const dataset = program.command('dataset').description('recordings with labels');
dataset
  .command('synthesize')
  .description('render a synthetic broadcast data set: train, val and test of every channel')
  .requiredOption('--output <dir>', 'folder to fill')
  .option('--seed <n>', 'seed', natural, 1)
  .option(
    '--seconds <n>',
    'seconds of training video a channel; val and test get 40 % and 60 % of it',
    natural,
    600,
  )
  .option(
    '--splits <names>',
    'only these of train, val and test (comma-separated)',
    (text: string) => text.split(','),
    [...SPLITS],
  )
  .action(async (options: { output: string; seed: number; seconds: number; splits: string[] }) => {
    const shares = { train: 1, val: 0.4, test: 0.6 };
    const splits = SPLITS.filter((name) => options.splits.includes(name));
    await fillDataset(options.output, splits, async () => {
      for (const split of splits) {
        for (const channel of CHANNELS)
          await synthesize(
            channel,
            `${options.seed}/${split}`,
            Math.round(options.seconds * shares[split]),
            join(options.output, split, channel.name),
          );
      }
    });
  });
dataset
  .command('broadcast')
  .description('render one synthetic broadcast: NAME.mkv with its ground truth NAME.csv')
  .requiredOption('--output <name>', 'path without ending')
  .requiredOption('--channel <name>', `one of ${CHANNELS.map(({ name }) => name).join(', ')}`)
  .option('--seed <text>', 'seed', '1')
  .option('--seconds <n>', 'at least this long', natural, 600)
  .action(async (options: { output: string; channel: string; seed: string; seconds: number }) =>
    synthesize(channelNamed(options.channel), options.seed, options.seconds, options.output),
  );

dataset
  .command('cut')
  .description(
    'cut one labelled recording into train, val, test and parts to be watched live; no second is in two of them',
  )
  .requiredOption('--video <file>', 'recording')
  .requiredOption('--labels <csv>', 'start,end,label')
  .requiredOption('--output <dir>', 'data set folder')
  .option('--live <names...>', 'paths, without ending, of the parts to be watched', [])
  .action(async (options: { video: string; labels: string; output: string; live: string[] }) => {
    const spans = await readLabels(options.labels);
    const pieces = planCuts(spans, options.output, options.live);
    const told = ({ output, start, end }: Piece) =>
      console.log(`${output}.mkv: ${start.toFixed(1)} to ${end.toFixed(1)} s`);
    await fillDataset(options.output, SPLITS, () => cutRecording(options.video, spans, pieces, told, signal));
  });

program
  .command('train')
  .description('train a model on a data set and convert it to INT8 TFLite')
  .requiredOption('--output <dir>', 'folder for model.tflite, manifest.json and report.json')
  .option('--data <dir>', 'data set: train/, val/, test/ with NAME.mkv and NAME.csv')
  .option('--video <file>', 'a recording of your own instead, cut 60/20/20 by time')
  .option('--labels <csv>', 'its labels: start,end,label')
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
addAssessCommands(program, signal);

async function synthesize(channel: Channel, seed: string, seconds: number, output: string): Promise<void> {
  await beginRecording(output);
  const started = Date.now();
  let shown = 0;
  const spans = await renderBroadcast(
    {
      seed,
      channel,
      seconds,
      output: `${output}.mkv`,
      onProgress: (done, of) => {
        if (!process.stderr.isTTY || Date.now() - shown < 500) return;
        shown = Date.now();
        process.stderr.write(`\r  ${channel.name}: ${Math.round(done)} of ${Math.round(of)} s `);
      },
    },
    signal,
  );
  await writeAtomic(`${output}.csv`, formatLabels(spans));
  console.log(
    `${output}.mkv: ${Math.round(spans.at(-1)?.end ?? 0)} s of channel ${channel.name}, rendered in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}

interface DataOptions {
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

async function recordingsOf({ data, video, labels }: DataOptions): Promise<Dataset> {
  if (video !== undefined) {
    if (labels === undefined)
      throw new AdbreakError('labels_invalid', 'Cannot train: --video needs --labels');
    return cutByTime(video, await readLabels(labels));
  }
  if (data === undefined)
    throw new AdbreakError(
      'input_invalid',
      'Cannot train: give --data DIR, or --video FILE with --labels CSV',
    );
  return openDataset(data);
}

/** One recording becomes three by time, whole spans each: frames a second apart never lie in two splits. */
function cutByTime(video: string, spans: Recording['spans']): Dataset {
  const end = spans.at(-1)?.end ?? 0;
  const part = (from: number, to: number): Recording[] => [
    {
      name: 'recording',
      video,
      spans: spans.filter((span) => span.start >= from * end && span.start < to * end),
    },
  ];
  return { train: part(0, 0.6), val: part(0.6, 0.8), test: part(0.8, 1) };
}

function channelNamed(name: string): Channel {
  const channel = CHANNELS.find((candidate) => candidate.name === name);
  if (channel === undefined)
    throw new AdbreakError(
      'not_found',
      `Cannot render channel ${name}: there are ${CHANNELS.map((known) => known.name).join(', ')}`,
    );
  return channel;
}
function matching(pattern: RegExp) {
  return (text: string) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`It must match ${pattern.source}.`);
    return text;
  };
}

await runProgram(() => program.parseAsync(), interruption);
