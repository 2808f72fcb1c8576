import { join } from 'node:path';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { LABEL_FORMATS, type LabelFormat } from '@adbreak/shared/video/label-files.js';
import type { LabelWords } from '@adbreak/shared/video/labels.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { natural, positive } from '../options.js';
import { cutRecording, type Piece, planCuts, writeLabels } from './cut.js';
import { RECORDING_SOURCES, type RecordingSource } from './groups.js';
import { readManifest } from './manifest.js';
import { prepare } from './prepare.js';
import { ProgressLine } from './progress.js';
import { DEFAULT_RATIO, parseRatio, SPLITS, type SplitRatio } from './ratio.js';
import { beginRecording, fillDataset, openDataset, readLabels } from './recordings.js';
import { PURPOSES, type Purpose, purposeOf } from './statistics.js';
import { renderBroadcast } from './synthetic/broadcast.js';
import { CHANNELS, type Channel } from './synthetic/channels.js';
import { tellManifest, tellPrepared, tellRecordings } from './tell.js';
import { verifyPictures, verifyRecordings } from './verify.js';

/** `adbreak dataset`: data sets of pictures and recordings. */
export function addDatasetCommands(program: Command, signal: AbortSignal): void {
  const dataset = program.command('dataset').description('pictures and recordings with labels');
  addPrepare(dataset, signal);
  addStats(dataset);
  addVerify(dataset, signal);
  addCut(dataset, signal);
  addSynthesize(dataset, signal);
}

/** `0.7,0.15,0.15` */
export function splitRatioOption(): Option {
  const shown = SPLITS.map((split) => DEFAULT_RATIO[split]).join(',');
  return new Option('--split-ratio <train,val,test>', 'shares of train, val and test')
    .argParser(parseRatio)
    .default(DEFAULT_RATIO, shown);
}

interface PrepareFlags {
  sourcePath: string;
  outputDir: string;
  splitRatio: SplitRatio;
  maxFrames?: number;
  fps: number;
  seed: number;
  recordings: RecordingSource;
  labelFormat: LabelFormat;
  labelMap: LabelWords;
  purpose?: Purpose;
  force?: boolean;
}

function addPrepare(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('prepare')
    .description('divide labelled pictures and recordings into train/, val/, test/ and calibration/')
    .addOption(new Option('--source <kind>', 'where the pictures are').choices(['local']).default('local'))
    .requiredOption('--source-path <dir>', 'holds ad/ and content/, or recordings with labels beside them')
    .requiredOption('--output-dir <dir>', 'folder of the data set')
    .addOption(splitRatioOption())
    .option('--max-frames <n>', 'take so many pictures at most, of both labels alike', natural)
    .option('--fps <n>', 'frames a second taken from recordings', positive, 1)
    .option('--seed <n>', 'the same seed gives the same data set', natural, 1)
    .addOption(
      new Option(
        '--recordings <by>',
        'what tells the recording of a picture: its folder, its name, or nothing',
      )
        .choices([...RECORDING_SOURCES])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--label-format <format>',
        'labels beside recordings: NAME.csv, NAME.edl, or comskip’s NAME.txt',
      )
        .choices([...LABEL_FORMATS])
        .default('csv'),
    )
    .addOption(labelMapOption())
    .addOption(purposeOption())
    .option('--force', 'replace a data set that was changed by hand')
    .action(async (flags: PrepareFlags) => {
      const { sourcePath, outputDir } = flags;
      using progress = new ProgressLine();
      const prepared = await prepare({
        source: sourcePath,
        output: outputDir,
        ratio: flags.splitRatio,
        maxFrames: flags.maxFrames ?? null,
        fps: flags.fps,
        seed: flags.seed,
        recordings: flags.recordings,
        labelFormat: flags.labelFormat,
        labelWords: flags.labelMap,
        force: flags.force ?? false,
        onProgress: progress.show,
        signal,
      });
      progress[Symbol.dispose]();
      say(tellPrepared(prepared, flags.purpose ?? purposeOf(outputDir)));
      say(`wrote ${outputDir}, fingerprint ${prepared.manifest.fingerprint}`);
      say(`next: \`adbreak train --data ${outputDir} --output out/model\``);
    });
}

function addStats(dataset: Command): void {
  dataset
    .command('stats')
    .description('how many pictures of which label each split has, and whether that is enough')
    .argument('<dir>', 'data set')
    .addOption(purposeOption())
    .addOption(labelMapOption())
    .action(async (folder: string, flags: { purpose?: Purpose; labelMap: LabelWords }) => {
      const manifest = await readManifest(folder);
      const purpose = flags.purpose ?? purposeOf(folder);
      say(
        manifest === undefined
          ? tellRecordings(await openDataset(folder, flags.labelMap), purpose)
          : tellManifest(manifest, purpose),
      );
    });
}

function addVerify(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('verify')
    .description('look whether a data set is what its manifest says, and name what changed')
    .argument('<dir>', 'data set')
    .addOption(labelMapOption())
    .action(async (folder: string, { labelMap }: { labelMap: LabelWords }) => {
      using progress = new ProgressLine();
      const manifest = await readManifest(folder);
      const faults =
        manifest === undefined
          ? await verifyRecordings(await openDataset(folder, labelMap), progress.show, signal)
          : await verifyPictures(folder, manifest, progress.show, signal);
      progress[Symbol.dispose]();
      if (faults.length > 0) {
        say(faults.join('\n'));
        throw new AdbreakError(
          'dataset_invalid',
          `Cannot vouch for ${folder}: ${faults.length} ${faults.length === 1 ? 'thing is' : 'things are'} wrong with it`,
        );
      }
      say(
        manifest === undefined
          ? `${folder}: every recording can be read, and is in one split`
          : `${folder}: all ${manifest.pictures.length.toLocaleString('en')} pictures are as they were made, fingerprint ${manifest.fingerprint}`,
      );
    });
}

interface CutFlags {
  video: string;
  labels: string;
  output: string;
  live: string[];
  splitRatio: SplitRatio;
  labelMap: LabelWords;
}

function addCut(dataset: Command, signal: AbortSignal): void {
  dataset
    .command('cut')
    .description(
      'cut one labelled recording into train, val, test and parts to be watched live; no second is in two of them',
    )
    .requiredOption('--video <file>', 'recording')
    .requiredOption('--labels <file>', 'CSV (start,end,label), EDL, or comskip’s .txt')
    .requiredOption('--output <dir>', 'data set folder')
    .option('--live <names...>', 'paths, without ending, of the parts to be watched', [])
    .addOption(splitRatioOption())
    .addOption(labelMapOption())
    .action(async ({ video, labels, output, live, splitRatio, labelMap }: CutFlags) => {
      const spans = await readLabels(labels, { video, words: labelMap });
      const pieces = planCuts(spans, output, live, splitRatio);
      const told = (piece: Piece) =>
        say(`${piece.output}.mkv: ${piece.start.toFixed(1)} to ${piece.end.toFixed(1)} s`);
      await fillDataset(output, SPLITS, () => cutRecording(video, spans, pieces, told, signal));
    });
}

function addSynthesize(dataset: Command, signal: AbortSignal): void {
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
          const seconds = Math.round(options.seconds * shares[split]);
          for (const channel of CHANNELS) {
            const output = join(options.output, split, channel.name);
            await synthesize(channel, `${options.seed}/${split}`, seconds, output, signal);
          }
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
      synthesize(channelNamed(options.channel), options.seed, options.seconds, options.output, signal),
    );
}

async function synthesize(
  channel: Channel,
  seed: string,
  seconds: number,
  output: string,
  signal: AbortSignal,
): Promise<void> {
  await beginRecording(output);
  const started = performance.now();
  using progress = new ProgressLine();
  const spans = await renderBroadcast(
    {
      seed,
      channel,
      seconds,
      output: `${output}.mkv`,
      onProgress: (done, of) => progress.show(`${channel.name}, seconds`, done, of),
    },
    signal,
  );
  progress[Symbol.dispose]();
  await writeLabels(output, spans);
  const took = ((performance.now() - started) / 1000).toFixed(1);
  say(
    `${output}.mkv: ${Math.round(spans.at(-1)?.end ?? 0)} s of channel ${channel.name}, rendered in ${took} s`,
  );
}

function channelNamed(name: string): Channel {
  const channel = CHANNELS.find((candidate) => candidate.name === name);
  if (channel !== undefined) return channel;
  const known = CHANNELS.map((one) => one.name).join(', ');
  throw new AdbreakError('not_found', `Cannot render channel ${name}: there are ${known}`);
}

function purposeOption(): Option {
  return new Option(
    '--purpose <model>',
    'what the model is for, which decides how many pictures are enough; default: as the folder is called',
  ).choices([...PURPOSES]);
}

/** `advert=ad,programme=content` */
export function labelMapOption(): Option {
  return new Option('--label-map <words>', 'other words in labels, such as advert=ad,programme=content')
    .argParser(labelWords)
    .default({}, 'none');
}

/** Reads `advert=ad,programme=content`. */
export function labelWords(text: string): LabelWords {
  const words: Record<string, 'ad' | 'content'> = {};
  for (const pair of text.split(',')) {
    const [word = '', label] = pair.split('=').map((part) => part.trim().toLowerCase());
    if (word === '' || (label !== 'ad' && label !== 'content'))
      throw new InvalidArgumentError('It must be WORD=ad or WORD=content, comma-separated.');
    words[word] = label;
  }
  return words;
}

/** Names of files are other people's words. */
function say(text: string): void {
  console.log(printable(text, { lines: true }));
}
