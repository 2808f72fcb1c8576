import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { runProgram } from '@adbreak/shared/program.js';
import { frames } from '@adbreak/shared/video/frames.js';
import { Command, Option } from 'commander';
import { FORMATS, type Format, formatSegments } from './decide/formats.js';
import { type Scored, segmentsOf } from './decide/segments.js';
import { InferenceChild } from './inference/child.js';
import { openModelFile } from './models/model-file.js';

/** `adbreak detect`: a recording through the agent's own capture, runtime and decision, without hub or Pi. */
const program = new Command('adbreak detect')
  .description('print the timeline of advertisement and programme of a recording')
  .argument('<video>', 'anything ffmpeg reads: a file or a URL')
  .requiredOption('--model <path>', 'model folder or .tflite with its manifest beside it')
  .addOption(new Option('--format <format>', 'output').choices(FORMATS).default('text'))
  .option('--fps <n>', 'frames a second to look at', Number, 2)
  .option('--threads <n>', 'threads of the runtime', Number, 1)
  .action(detect);

async function detect(
  video: string,
  options: { model: string; format: Format; fps: number; threads: number },
): Promise<void> {
  if (!(options.fps > 0 && options.fps <= 60))
    throw new AdbreakError(
      'input_invalid',
      `Cannot detect: --fps must be between 0 and 60: current value is ${options.fps}`,
    );
  if (!Number.isInteger(options.threads) || options.threads < 1 || options.threads > 64)
    throw new AdbreakError(
      'input_invalid',
      `Cannot detect: --threads must be a whole number from 1 to 64: current value is ${options.threads}`,
    );
  const model = await openModelFile(options.model);
  await using child = await InferenceChild.start(model, { threads: options.threads });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const scored: Scored[] = [];
  try {
    for await (const frame of frames(
      { source: video, preprocess: model.manifest.preprocess, fps: options.fps },
      stop.signal,
    )) {
      scored.push({ time: frame.time, probability: (await child.infer(frame.pixels)).probability });
      if (process.stderr.isTTY && frame.index % 20 === 0)
        process.stderr.write(`\r  ${frame.time.toFixed(0)} s `);
    }
  } catch (error) {
    // A recording with a damaged tail still has a timeline up to there.
    if (scored.length === 0 || !(error instanceof AdbreakError) || error.code !== 'video_unreadable')
      throw error;
    console.error(
      `warning: the recording ends early at ${scored.at(-1)?.time.toFixed(1)} s: ${error.message}`,
    );
  }
  if (process.stderr.isTTY) process.stderr.write('\r');
  const segments = segmentsOf(scored, model.manifest.decision ?? DEFAULT_DECIDER, 1 / options.fps);
  console.log(
    formatSegments(segments, options.format, {
      source: video,
      model: `${model.manifest.name} ${model.manifest.version}`,
    }),
  );
  if (stop.signal.aborted) process.exitCode = 130;
}

await runProgram(() => program.parseAsync());
