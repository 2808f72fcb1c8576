import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { sourceKind } from '@adbreak/shared/video/frames.js';
import { Command, Option } from 'commander';
import { FORMATS, type Format, formatClock } from './decide/formats.js';
import { checkOutputs, type Outputs, planOutputs } from './detect/outputs.js';
import { formatAirings, formatBreaks, formatSpots } from './recurrence/formats.js';
import { type Scanned, scanRecordings } from './recurrence/scan-recordings.js';

interface Flags {
  readonly format: Format;
  readonly json: boolean;
  readonly output?: string;
  readonly edl?: boolean;
  readonly chapters?: boolean;
  readonly folder?: string;
  readonly overwrite: boolean;
}

/** `adbreak recurrence`: what airs again and again, without any model. */
const program = new Command('adbreak recurrence').description('what airs again and again in recordings');
const interruption = onInterruption();

program
  .command('scan')
  .description(
    'find what airs more than once: advertisements, trailers, repeats; and the breaks that follow from it',
  )
  .argument('<recordings...>', 'anything ffmpeg reads; the more of a channel, the more recurs')
  .addOption(new Option('--format <format>', 'how it is printed').choices(FORMATS).default('text'))
  .option('--json', 'short for --format json', false)
  .option('--output <file>', 'write it to a file in place of printing it')
  .option('--edl', "write Kodi's NAME.edl with the breaks beside each recording")
  .option('--chapters', 'write NAME.chapters.txt, an ffmetadata file, with the breaks')
  .option('--folder <dir>', 'where these files go in place of beside each recording')
  .option('--overwrite', 'replace what is there', false)
  .action(scan);

async function scan(sources: string[], flags: Flags): Promise<void> {
  const format = flags.json ? 'json' : flags.format;
  const plans = await plansOf(sources, flags, format);
  const found = await scanRecordings([...new Set(sources)], interruption.signal);
  for (const problem of found.problems) console.error(problem);
  if (found.problems.length > 0) process.exitCode = 1;
  const text = formatFound(found, format);
  if (flags.output !== undefined) await write(flags.output, text);
  else if (text !== '') console.log(text);
  for (const outputs of plans) await writeBeside(found, outputs);
  console.error(formatPace(found));
}

/** Where each file goes, checked before the work. */
async function plansOf(sources: readonly string[], flags: Flags, format: Format): Promise<Outputs[]> {
  const device = sources.find((source) => sourceKind(source) === 'device');
  if (device !== undefined)
    throw new AdbreakError('input_invalid', `Cannot scan ${device}: it is no recording`, {
      remedy: 'Record some hours of it first.',
    });
  if (sources.length > 1 && (format === 'edl' || format === 'chapters'))
    throw new AdbreakError('input_invalid', `Cannot print several recordings as ${format}: it has no names`, {
      remedy: 'Lay files beside each with --edl or --chapters, or print with --json.',
    });
  const { output, ...beside } = flags;
  const plans = planOutputs(sources, { ...beside, format });
  const own = output === undefined ? [] : [{ source: sources[0] ?? '', timeline: output }];
  await checkOutputs([...own, ...plans], flags);
  return plans;
}

function formatFound(found: Scanned, format: Format): string {
  switch (format) {
    case 'text':
      return formatSpots(found);
    case 'csv':
      return formatAirings(found);
    case 'json':
      return JSON.stringify(found.recurrence);
    case 'edl':
    case 'chapters': {
      const [only] = found.recordings;
      return only === undefined ? '' : formatBreaks(found, only, format);
    }
  }
}

async function writeBeside(found: Scanned, { source, edl, chapters }: Outputs): Promise<void> {
  const recording = found.recordings.find(({ name }) => name === source);
  if (recording === undefined) return;
  if (edl !== undefined) await write(edl, formatBreaks(found, recording, 'edl'));
  if (chapters !== undefined) await write(chapters, formatBreaks(found, recording, 'chapters'));
}

async function write(path: string, text: string): Promise<void> {
  await writeAtomic(path, text === '' ? '' : `${text}\n`);
  console.error(`wrote ${printable(path)}`);
}

function formatPace({ seconds, elapsed, own, recurrence: { spots } }: Scanned): string {
  const airings = spots.reduce((sum, spot) => sum + spot.airings.length, 0);
  const found = `${spots.length} that recur, ${airings} airings, in ${formatClock(seconds)}`;
  return `${found}: ${elapsed.toFixed(0)} s, ${own.toFixed(1)} s of them beside decoding`;
}

await runProgram(() => program.parseAsync(), interruption);
