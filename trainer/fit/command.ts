import { join } from 'node:path';
import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import { explainForPeople, printable } from '@adbreak/shared/errors.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { type Command, Option } from 'commander';
import { openRunLog } from '../assess/run-log.js';
import { parseSetting, readConfig, type Setting } from '../config/read.js';
import { labelWords } from '../dataset/command.js';
import { parseRatio } from '../dataset/ratio.js';
import { matching, natural, positive } from '../options.js';
import { trackers } from '../track/settings.js';
import { collectCache, UNUSED_DAYS } from './cache.js';
import { startOfRun } from './checkpoint.js';
import { type HubJob, hubJob } from './hub-job.js';
import { checkOutputs } from './outputs.js';
import { openRegistry, type Registry } from './registry.js';
import { codeVersion } from './results.js';
import { samplesOf } from './samples.js';
import { train } from './train.js';

/** Options that say in short what `--set` could say, by the key they set. */
const KEYS = {
  output: 'output.path',
  data: 'dataset.path',
  video: 'dataset.video',
  labels: 'dataset.labels',
  splitRatio: 'dataset.split_ratio',
  labelMap: 'dataset.label_map',
  only: 'dataset.only',
  first: 'dataset.first',
  name: 'model.name',
  version: 'model.version',
  weights: 'model.weights',
  fps: 'dataset.fps',
  threads: 'training.threads',
  seed: 'training.seed',
  cache: 'output.cache',
} as const;

type Options = { readonly [Name in keyof typeof KEYS]?: unknown } & {
  readonly config?: string;
  readonly set: readonly Setting[];
  readonly registryUrl?: string;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
  readonly finish?: boolean;
  readonly check?: boolean;
  readonly forHub?: boolean;
};

/** The hub's command line takes these, and never passes them on (hub/cli/train.ts). */
const ON_HUB = `
On the hub’s machine instead, one training at a time:
  --on-hub   it becomes a job of the hub; \`adbreak train --on-hub --help\`
  --follow   tell how far that is, until its end`;

/** `adbreak train`: data set -> model, manifest and report, and where requirements are met -> registry. */
export function addTrainCommand(program: Command, signal: AbortSignal): void {
  const setting = (text: string, before: readonly Setting[]) => [...before, parseSetting(text)];
  program
    .command('train')
    .description('train a model on a data set, convert it to INT8 TFLite, measure and upload it')
    .option('--config <file>', 'YAML: configs/training/ has examples, docs/training.md every key')
    .option('--set <key=value>', 'a key of the configuration, for once; may be repeated', setting, [])
    .option(
      '--registry-url <url>',
      'upload what meets the requirements; with ADBREAK_TOKEN, and ADBREAK_CA for https',
    )
    .option('--dry-run', 'everything but the upload')
    .option('--check', 'only look at the configuration and whether the data set can be opened')
    .addOption(new Option('--for-hub', 'how a hub starts it').hideHelp())
    .option('--resume', 'go on behind the last epoch that was kept; the same file as without the pause')
    .option('--finish', 'with --resume: no more epochs, the best so far becomes the model')
    .option('--output <dir>', 'folder for the model, its manifest, the results and the report')
    .option(
      '--data <dir>',
      'data set: as `dataset prepare` makes it, or train/, val/, test/ with NAME.mkv and NAME.csv',
    )
    .option('--video <file>', 'a recording of your own instead, divided by time')
    .option('--labels <file>', 'its labels: CSV (start,end,label), EDL, or comskip’s .txt')
    .option('--split-ratio <train,val,test>', 'shares of that recording, 0.7,0.15,0.15', (text: string) => {
      const { train: learnt, val, test } = parseRatio(text);
      return [learnt, val, test];
    })
    .option(
      '--label-map <words>',
      'other words in its labels, such as advert=ad,programme=content',
      labelWords,
    )
    .option(
      '--only <names>',
      'train on these recordings alone (comma-separated); val and test stay whole',
      (text: string) => text.split(','),
    )
    .option('--first <seconds>', 'use only the beginning of each training recording', positive)
    .option('--name <name>', 'model name', matching(MODEL_NAME))
    .option('--version <version>', 'model version', matching(VERSION))
    .option('--weights <which>', 'pretrained (as pulled), distill, scratch, or auto')
    .option('--fps <n>', 'frames a second', positive)
    .option(
      '--threads <n>',
      'threads of the runtime; more than there are idle cores make it slower by far',
      natural,
    )
    .option('--seed <n>', 'seed', natural)
    .option('--cache <dir>', 'folder for cached features')
    .addHelpText('after', ON_HUB)
    .action((options: Options) => runTraining(options, signal));
}

async function runTraining(options: Options, signal: AbortSignal): Promise<void> {
  const job = options.forHub === true ? hubJob() : null;
  try {
    await checkAndTrain(options, job, signal);
  } catch (error) {
    await job?.failed(error);
    throw error;
  }
}

async function checkAndTrain(options: Options, job: HubJob | null, signal: AbortSignal): Promise<void> {
  const config = await readConfig(options.config ?? null, [...options.set, ...settingsOf(options)]);
  const samples = await samplesOf(config);
  await job?.checked(config);
  if (options.check === true)
    return console.log('The configuration is valid, and its data set can be opened; nothing was trained.');
  const { path, cache } = config.output;
  await checkOutputs([path, cache]);
  const resume = options.resume === true || options.finish === true;
  const registry = job?.registry ?? (await registryOf(options, signal));
  const now = new Date();
  const startedAt = await startOfRun(path, { resume, now });
  await using log = await openRunLog(join(path, 'training.log'), {
    ...{ goesOn: startedAt !== now, now: () => new Date(), trouble: (line: string) => console.log(line) },
  });
  const say = (line: string) => {
    console.log(printable(line));
    log.write(line);
  };
  const followed = [
    ...trackers(config.tracking, { log: say, env: process.env }),
    ...(job === null ? [] : [job.tracker]),
  ];
  const removed = await collectCache(cache, now);
  const mib = (removed / 2 ** 20).toFixed(0);
  if (removed > 0) say(`removed ${mib} MiB that no training used for ${UNUSED_DAYS} days from ${cache}`);
  const finish = options.finish === true;
  const asked = { config, samples, trackers: followed, resume, finish, registry, say, signal };
  try {
    await train(
      { ...asked, code: await codeVersion(), now: startedAt },
      openRuntime(config.training.runtime),
    );
  } catch (error) {
    // The terminal has it from the program's end; who follows the file must not look at it in vain.
    const words = signal.aborted ? 'interrupted' : explainForPeople(error);
    for (const line of words.split('\n')) log.write(line);
    // A hub goes on by itself.
    if (signal.aborted && job === null)
      say('what was learnt is kept: the same command with --resume goes on');
    throw error;
  }
  if (job === null) for (const line of nextSteps(path, options)) console.log(line);
}

/** What to do with a model that was made. */
function nextSteps(path: string, { registryUrl, dryRun }: Options): string[] {
  const isUploaded = registryUrl !== undefined && dryRun !== true;
  return [
    `next: \`adbreak models use ${path}\`, and \`adbreak detect RECORDING\` takes it`,
    ...(isUploaded ? [] : [`      not uploaded; \`adbreak models push ${path}\` brings it to a hub`]),
  ];
}

async function registryOf({ registryUrl, dryRun }: Options, signal: AbortSignal): Promise<Registry | null> {
  if (registryUrl === undefined || dryRun === true) return null;
  return openRegistry(registryUrl, process.env, signal);
}

function settingsOf(options: Options): Setting[] {
  return Object.entries(KEYS).flatMap(([name, key]) => {
    const value = options[name as keyof typeof KEYS];
    return value === undefined ? [] : [{ key, value }];
  });
}
