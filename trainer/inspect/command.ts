import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { openRuntime, RUNTIME_CHOICES, type RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { type Command, Option } from 'commander';
import { architectureName } from '../convert/command.js';
import { readMetadata } from '../convert/metadata.js';
import { loadPictures } from '../dataset/pictures.js';
import { ARCHITECTURES, type ArchitectureName } from '../nn/architectures.js';
import { natural } from '../options.js';
import { compare, compareLayers } from './compare.js';
import { describeModel, inspect } from './inspect.js';

/** `adbreak model inspect|compare`. */
export function addModelCommands(program: Command, signal: AbortSignal): void {
  const model = program.command('model').description('model files');
  model
    .command('inspect <file>')
    .description('operators, shapes, scales, size, multiply-adds, and what XNNPACK makes of it')
    .option('--json', 'as JSON')
    .action(async (path: string, flags: { json?: boolean }) => {
      const bytes = await readFile(path);
      const parsed = readModel(bytes);
      const metadata = readMetadata(bytes, parsed);
      if (flags.json === true) {
        console.log(JSON.stringify({ bytes: bytes.byteLength, ...inspect(parsed), metadata }, null, 2));
        return;
      }
      for (const line of describeModel(parsed, bytes.byteLength)) say(line);
      if (metadata !== null && metadata.labels.length > 0)
        say(
          `labels: ${metadata.labels.slice(0, 8).join(', ')}${metadata.labels.length > 8 ? `, … (${metadata.labels.length})` : ''}`,
        );
    });
  model
    .command('compare <a> <b>')
    .description('two models on the same pictures: agreement, error of the output, latency')
    .requiredOption('--images <path>', 'a folder of pictures or videos, a video, or raw frames (.rgb)')
    .option('--limit <n>', 'use so many pictures', natural, 100)
    .option('--layers', 'the error of every tensor that both name alike')
    .option(
      '--architecture <name>',
      'whose normalisation the inputs have',
      architectureName,
      'efficientnet_lite0',
    )
    .addOption(
      new Option('--runtime <which>', 'what runs them').choices([...RUNTIME_CHOICES]).default('auto'),
    )
    .option('--json', 'as JSON')
    .action(
      async (
        a: string,
        b: string,
        flags: {
          images: string;
          limit: number;
          layers?: boolean;
          architecture: ArchitectureName;
          runtime: RuntimeChoice;
          json?: boolean;
        },
      ) => {
        const files = [await readFile(a), await readFile(b)] as const;
        const size = readModel(files[0]).subgraphs[0];
        const side = size?.tensors[size.inputs[0] ?? -1]?.shape[1] ?? 0;
        const pixels = await loadPictures(flags.images, side, flags.limit, signal);
        const { normalization } = ARCHITECTURES[flags.architecture];
        const runtime = openRuntime(flags.runtime);
        const result = await compare(files, runtime, pixels, normalization, signal);
        const layers =
          flags.layers === true
            ? await compareLayers(files, runtime, pixels.slice(0, 16), normalization)
            : [];
        if (flags.json === true) {
          console.log(JSON.stringify({ ...result, ...(flags.layers === true && { layers }) }, null, 2));
          return;
        }
        for (const { tensor, decibels, largestError } of layers)
          say(
            `${decibels.toFixed(1).padStart(7)} dB  largest ${largestError.toPrecision(3).padStart(8)}  ${tensor}`,
          );
        console.log(
          `${result.images} images: same class on ${(100 * result.agreement).toFixed(1)} %; output error mean ${result.meanError.toPrecision(3)}, largest ${result.largestError.toPrecision(3)}, ${result.decibels.toFixed(1)} dB`,
        );
        console.log(
          `${runtime.name} ${runtime.version ?? ''}, one thread: ${result.latency[0].toFixed(2)} ms against ${result.latency[1].toFixed(2)} ms (medians)`,
        );
      },
    );
}

/** Names within a model are other people's words. */
function say(line: string): void {
  console.log(printable(line));
}

async function readFile(path: string): Promise<Uint8Array> {
  const bytes = await readLimited(path, 1 << 29);
  if (bytes === undefined) throw new AdbreakError('not_found', `Cannot inspect ${path}: it does not exist`);
  return bytes;
}
