import { AdbreakError, explainForPeople, hasCode, printable } from '@adbreak/shared/errors.js';
import { keptModel } from '@adbreak/shared/kept-model.js';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { sourceKind } from '@adbreak/shared/video/frames.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FORMATS, type Format, formatTimeline } from './decide/formats.js';
import { DECISION_MODES, type DecisionMode } from './decide/segments.js';
import { detectIn } from './detect/detect-in.js';
import { checkOutputs, type OutputOptions, planOutputs } from './detect/outputs.js';
import { InferenceChild } from './inference/child.js';
import { openModelFile } from './models/model-file.js';
import { hintsFor } from './recurrence/hints.js';
import { scanRecordings } from './recurrence/scan-recordings.js';

interface Flags extends OutputOptions {
  readonly model?: string;
  readonly json: boolean;
  readonly decision: DecisionMode;
  readonly fps: number;
  readonly threads: number;
  readonly withRecurrence: boolean;
}

/** `adbreak detect`: recordings through the agent's own runtime and decision, without hub or Pi. */
const program = new Command('adbreak detect')
  .description('find the advertisements in recordings')
  .argument('<recordings...>', 'anything ffmpeg reads: files or URLs')
  .option('--model <path>', 'model folder or .tflite with its manifest beside it; the kept one without it')
  .addOption(new Option('--format <format>', 'how the timeline is written').choices(FORMATS).default('text'))
  .option('--json', 'short for --format json: a line of JSON for each recording', false)
  .option('--output <file>', 'write the timeline to a file in place of printing it; for one recording')
  .option('--edl', "write Kodi's NAME.edl beside each recording")
  .option('--chapters', 'write NAME.chapters.txt, an ffmetadata file')
  .option('--frames', 'write NAME.frames.csv: what the model says of each frame')
  .option('--mark', 'write NAME.marked.mkv (or .mp4, …), a copy with chapters')
  .option('--cut', 'write NAME.cut.mkv (or .mp4, …), a copy without the advertisements')
  .option('--folder <dir>', 'where these files go in place of beside each recording')
  .option('--overwrite', 'replace what is there', false)
  .addOption(
    new Option(
      '--decision <which>',
      'in hindsight, or live: as a device decides, which has not seen what comes',
    )
      .choices(DECISION_MODES)
      .default('hindsight'),
  )
  .option(
    '--with-recurrence',
    'look at what airs again in these recordings, and at black and silence, too: needs twice the time',
    false,
  )
  .option('--fps <n>', 'frames a second to look at', numberWithin(0.01, 60), 2)
  .option('--threads <n>', 'threads of the runtime', wholeWithin(1, 64), 1)
  .action(detect);

const interruption = onInterruption();

async function detect(sources: string[], flags: Flags): Promise<void> {
  const { signal } = interruption;
  const format: Format = flags.json ? 'json' : flags.format;
  checkPrintable(sources, flags, format);
  const plans = planOutputs(sources, flags);
  await checkOutputs(plans, flags);
  const model = await openModelFile(flags.model ?? (await keptModel()));
  const found = flags.withRecurrence ? await scanRecordings([...new Set(sources)], signal) : null;
  const unsure = model.manifest.unsure !== undefined;
  await using child = await InferenceChild.start(model, { threads: flags.threads, distance: unsure });
  for (const outputs of plans) {
    try {
      const hints = found === null ? {} : { hints: hintsFor(outputs.source, found) };
      const { timeline, written } = await detectIn({ ...flags, format, outputs, child, ...hints }, signal);
      for (const warning of timeline.warnings)
        console.error(`warning: ${printable(outputs.source)}: ${printable(warning)}`);
      // For who reads the timeline; other formats are read by programs.
      if (format === 'text') for (const path of written) console.error(`wrote ${printable(path)}`);
      if (outputs.timeline !== undefined) continue;
      if (sources.length > 1 && format === 'text') console.log(`${printable(outputs.source)}:`);
      const text = formatTimeline(timeline, format);
      if (text !== '') console.log(text);
    } catch (error) {
      // One recording that cannot be read must not cost the others; a dead runtime does.
      if (sources.length === 1 || !hasCode(error, 'video_unreadable', 'disk_full')) throw error;
      console.error(explainForPeople(error));
      process.exitCode = 1;
    }
  }
}

function checkPrintable(
  sources: readonly string[],
  { output, decision, withRecurrence }: Flags,
  format: Format,
): void {
  if (withRecurrence && decision === 'live')
    throw new AdbreakError(
      'input_invalid',
      'Cannot decide live with recurrence: what airs again is known afterwards',
      {
        remedy: 'Leave --decision or --with-recurrence out.',
      },
    );
  const device = sources.find((source) => sourceKind(source) === 'device');
  if (device !== undefined)
    throw new AdbreakError('input_invalid', `Cannot detect in ${device}: it is no recording`, {
      remedy: 'Name it as `source` of an agent: that watches what is live.',
    });
  if (sources.length > 1 && output === undefined && format !== 'text' && format !== 'json')
    throw new AdbreakError('input_invalid', `Cannot print several recordings as ${format}: it has no names`, {
      remedy: 'Lay files beside each with --edl or --chapters, or print with --json.',
    });
}

function numberWithin(low: number, high: number) {
  return (text: string) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high))
      throw new InvalidArgumentError(`It must be a number from ${low} to ${high}.`);
    return value;
  };
}
function wholeWithin(low: number, high: number) {
  return (text: string) => {
    const value = numberWithin(low, high)(text);
    if (!Number.isInteger(value)) throw new InvalidArgumentError('It must be a whole number.');
    return value;
  };
}

await runProgram(() => program.parseAsync(), interruption);
