import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { Command } from 'commander';
import { addConvertCommand } from './convert/command.js';
import { cutRecording, type Piece, planCuts } from './dataset/cut.js';
import { beginRecording, fillDataset, readLabels, SPLITS } from './dataset/recordings.js';
import { renderBroadcast } from './dataset/synthetic/broadcast.js';
import { CHANNELS, type Channel } from './dataset/synthetic/channels.js';
import { addTrainCommand } from './fit/command.js';
import { addModelCommands } from './inspect/command.js';
import { natural } from './options.js';
import { addWeightsCommands } from './weights/command.js';

/** The trainer's commands; `adbreak dataset|train|weights|convert|model` starts this file. */
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

addTrainCommand(program, signal);
addWeightsCommands(program, signal);
addConvertCommand(program, signal);
addModelCommands(program, signal);

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

function channelNamed(name: string): Channel {
  const channel = CHANNELS.find((candidate) => candidate.name === name);
  if (channel === undefined)
    throw new AdbreakError(
      'not_found',
      `Cannot render channel ${name}: there are ${CHANNELS.map((known) => known.name).join(', ')}`,
    );
  return channel;
}

await runProgram(() => program.parseAsync(), interruption);
