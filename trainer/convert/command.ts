import { stat } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import { MODEL_NAME, VERSION } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { openRuntime, RUNTIME_CHOICES, type RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadPictures } from '../dataset/pictures.js';
import { makeWritable } from '../dataset/writable.js';
import { codeVersion, json } from '../fit/results.js';
import { inspect } from '../inspect/inspect.js';
import { ARCHITECTURES, type ArchitectureName, isArchitecture } from '../nn/architectures.js';
import { countMultiplyAdds, countParameters, type Graph } from '../nn/graph.js';
import type { Port, WeightSource } from '../nn/layers.js';
import { matching, natural, positive } from '../options.js';
import { readWeights } from '../weights/read.js';
import { randomSource, sourceOf } from '../weights/sources.js';
import { storedWeights } from '../weights/store.js';
import { convertFloat, convertInt8, convertToFloat, type Int8Conversion } from './convert.js';
import type { FloatWeights } from './float.js';
import type { CalibrationMethod } from './histogram.js';
import { convertedManifest, tellsTwoClasses } from './manifest.js';
import { writeWithMetadata } from './metadata.js';
import type { IoType } from './quantize.js';

interface ConvertFlags {
  readonly architecture: ArchitectureName;
  readonly weights?: string;
  readonly classes?: number;
  readonly headless?: boolean;
  readonly logits?: boolean;
  readonly inputSize?: number;
  readonly width: number;
  readonly minimalistic?: boolean;
  readonly port: Port;
  readonly quantize: 'int8' | 'float16' | 'dynamic' | 'none';
  readonly calibration?: string;
  readonly calibrationImages: number;
  readonly method: CalibrationMethod;
  readonly equalize?: boolean;
  readonly correctBias: boolean;
  readonly keepHardSwish?: boolean;
  readonly inputType: IoType;
  readonly outputType: IoType;
  readonly labels?: string;
  readonly output: string;
  readonly name: string;
  readonly version: string;
  readonly report?: string;
  readonly runtime: RuntimeChoice;
  readonly threads: number;
}

/** `adbreak convert`: weights -> graph -> TFLite. */
export function addConvertCommand(program: Command, signal: AbortSignal): void {
  const io = ['int8', 'uint8', 'float32'];
  program
    .command('convert')
    .description('weights of a known architecture -> a TFLite file')
    .requiredOption('--architecture <name>', Object.keys(ARCHITECTURES).join(', '), architectureName)
    .option(
      '--weights <file>',
      'safetensors, torch checkpoint, Keras .h5, tfjs model.json, or random:SEED; default: as pulled or imported',
    )
    .option('--classes <n>', 'classes; default: as many as the weights have', natural)
    .option('--headless', 'end at the features, without a classifier')
    .option('--logits', 'end before the softmax')
    .option('--input-size <n>', 'side of the square input', natural)
    .option('--width <factor>', 'width multiplier of MobileNetV3', positive, 1)
    .option('--minimalistic', 'MobileNetV3 without squeeze-and-excite, hard swish and 5×5 kernels')
    .addOption(
      new Option('--port <which>', 'whose padding and epsilon the weights were trained with')
        .choices(['tensorflow', 'torch'])
        .default('tensorflow'),
    )
    .addOption(
      new Option('--quantize <how>', 'numeric type')
        .choices(['int8', 'float16', 'dynamic', 'none'])
        .default('int8'),
    )
    .option(
      '--calibration <path>',
      'pictures for int8: a folder of pictures or videos, a video, or raw frames (.rgb)',
    )
    .option('--calibration-images <n>', 'use so many of them', natural, 100)
    .option(
      '--method <how>',
      'range of activations: minmax, mse, or percentile:SHARE such as percentile:0.9999',
      calibrationMethod,
      { kind: 'mse' },
    )
    .option('--equalize', 'cross-layer equalization before calibration')
    .option('--no-correct-bias', 'leave the mean error of rounded kernels in the biases')
    .option('--keep-hard-swish', 'write HARD_SWISH as one operator in int8; XNNPACK does not take it')
    .addOption(new Option('--input-type <type>', 'input of an int8 model').choices(io).default('int8'))
    .addOption(new Option('--output-type <type>', 'output of an int8 model').choices(io).default('int8'))
    .option('--labels <file>', 'class names, one a line, kept in the file')
    .requiredOption(
      '--output <file>',
      'where the model goes; of one that tells content from ad, its manifest beside it',
    )
    .option('--name <name>', 'model name in the manifest', matching(MODEL_NAME), 'base-ad-detector')
    .option('--version <version>', 'model version in the manifest', matching(VERSION), '1.0.0')
    .option('--report <file>', 'JSON with ranges, sizes, times and what XNNPACK makes of it')
    .addOption(
      new Option('--runtime <which>', 'what runs the calibration')
        .choices([...RUNTIME_CHOICES])
        .default('auto'),
    )
    .option(
      '--threads <n>',
      'threads of the runtime; more than there are idle cores make it slower by far',
      natural,
      1,
    )
    .action((flags: ConvertFlags) => convert(flags, signal));
}

async function convert(flags: ConvertFlags, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  await checkPlaces(flags);
  const { normalization, inputSize: usual } = ARCHITECTURES[flags.architecture];
  const inputSize = flags.inputSize ?? usual;
  const graph = await graphOf(flags, inputSize);
  const labels = flags.labels === undefined ? [] : await readLabels(flags.labels);
  const loaded = performance.now();
  const converted =
    flags.quantize === 'int8'
      ? await toInt8(flags, graph, inputSize, signal)
      : { model: convertFloat(graph, WEIGHTS[flags.quantize]), calibration: sha256('') };
  const file = writeWithMetadata(converted.model, {
    name: graph.name,
    description: `${graph.name}, ${flags.quantize}, by adbreak`,
    version: '1',
    normalization,
    labels,
  });
  await writeAtomic(flags.output, file);
  await writeManifest(flags, { file, graph, inputSize, calibration: converted.calibration });
  const finished = performance.now();
  const facts = inspect(converted.model);
  if (flags.report !== undefined) {
    const report = {
      architecture: graph.name,
      quantize: flags.quantize,
      parameters: countParameters(graph),
      multiplyAdds: countMultiplyAdds(graph),
      inputSize,
      normalization,
      bytes: file.byteLength,
      sha256: sha256(file),
      seconds: { load: (loaded - started) / 1000, convert: (finished - loaded) / 1000 },
      peakMiB: process.resourceUsage().maxRSS / 1024,
      partitions: facts.partitions,
      leftByXnnpack: facts.left,
      ...('ranges' in converted && {
        equalizedPairs: converted.equalized,
        ranges: Object.fromEntries(converted.ranges),
      }),
    };
    await writeAtomic(flags.report, `${JSON.stringify(report, null, 2)}\n`);
  }
  const left =
    facts.left.length === 0
      ? ''
      : `, leaving ${facts.left.length} operator${facts.left.length === 1 ? '' : 's'}`;
  say(
    `wrote ${flags.output}: ${graph.name} ${flags.quantize}, ${file.byteLength.toLocaleString('en')} bytes, ${((finished - started) / 1000).toFixed(1)} s; ` +
      `XNNPACK takes it in ${facts.partitions} partition${facts.partitions === 1 ? '' : 's'}${left}`,
  );
}

/** Before the work: each file has a place of its own, and none of them is what the model is made of. */
async function checkPlaces({ output, report, weights, labels, calibration }: ConvertFlags): Promise<void> {
  const made = [output, manifestPath(output), ...(report === undefined ? [] : [report])].map((path) =>
    resolve(path),
  );
  const read = [weights, labels, calibration].flatMap((path) => path ?? []).map((path) => resolve(path));
  const twice = made.find((path, i) => made.indexOf(path) !== i || read.includes(path));
  if (twice !== undefined)
    throw new AdbreakError('input_invalid', `Cannot write ${twice}: it is named for something else, too`);
  for (const path of made) {
    await makeWritable(dirname(path));
    const info = await stat(path).catch(() => null);
    if (info?.isDirectory())
      throw new AdbreakError('input_invalid', `Cannot write ${path}: it is a folder`, {
        remedy: 'Name a file in it, as in model.tflite.',
      });
  }
}

const WEIGHTS: Record<Exclude<ConvertFlags['quantize'], 'int8'>, FloatWeights> = {
  none: 'float32',
  float16: 'float16',
  dynamic: 'int8',
};

async function toInt8(
  flags: ConvertFlags,
  graph: Graph,
  inputSize: number,
  signal: AbortSignal,
): Promise<Int8Conversion & { readonly calibration: string }> {
  if (flags.calibration === undefined) {
    throw new AdbreakError('input_invalid', 'Cannot convert to int8: it needs pictures to calibrate with', {
      remedy:
        'Give --calibration DIR with some hundred pictures or a recording like those the model will see; or --quantize none.',
    });
  }
  const pixels = await loadPictures(flags.calibration, inputSize, flags.calibrationImages, signal);
  const conversion = await convertInt8(graph, openRuntime(flags.runtime), pixels, {
    normalization: ARCHITECTURES[flags.architecture].normalization,
    method: flags.method,
    equalize: flags.equalize ?? false,
    correctBias: flags.correctBias,
    keepHardSwish: flags.keepHardSwish ?? false,
    input: flags.inputType,
    output: flags.outputType,
    threads: flags.threads,
    signal,
    onImage: (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r  calibrating: ${done} of ${pixels.length} `);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const calibration = sha256(pixels.map((frame) => sha256(frame)).join());
  return { ...conversion, calibration };
}

interface Written {
  readonly file: Uint8Array;
  readonly graph: Graph;
  readonly inputSize: number;
  /** Digest of the pictures that its ranges are taken from. */
  readonly calibration: string;
}

/** `manifest.json` beside `model.tflite`, as `models push` and `evaluate` read them; else under the model's name. */
function manifestPath(output: string): string {
  const { name: stem } = parse(output);
  return join(dirname(output), stem === 'model' ? 'manifest.json' : `${stem}.manifest.json`);
}

async function writeManifest(flags: ConvertFlags, { file, graph, inputSize, calibration }: Written) {
  if (!tellsTwoClasses(graph)) return;
  const { name, version, architecture, output, weights, runtime } = flags;
  const manifest = await convertedManifest(
    {
      ...{ name, version, architecture, model: file, inputSize, now: new Date() },
      weights: weights?.startsWith('random:') ? 'scratch' : 'pretrained',
      normalization: ARCHITECTURES[architecture].normalization,
      lineage: {
        dataset: calibration,
        configuration: sha256(JSON.stringify(deciding(flags))),
        parent: sha256(convertToFloat(graph)),
        code: await codeVersion(),
        seed: 0,
      },
    },
    openRuntime(runtime),
  );
  const path = manifestPath(output);
  await writeAtomic(path, json(manifest));
  say(`wrote ${path}: ${name} ${version}, not measured yet: \`adbreak evaluate\` does`);
}

function say(line: string): void {
  console.log(printable(line));
}

/** The flags without what decides nothing of the file's bytes. */
function deciding({
  output: _,
  report: _1,
  threads: _2,
  runtime: _3,
  name: _4,
  version: _5,
  ...rest
}: ConvertFlags) {
  return rest;
}

async function graphOf(flags: ConvertFlags, inputSize: number): Promise<Graph> {
  const source = await weightSource(flags);
  const classes = flags.headless === true ? null : (flags.classes ?? source.classes());
  const { width, port } = flags;
  const graph = ARCHITECTURES[flags.architecture].build(source, {
    inputSize,
    classes,
    port,
    width,
    minimalistic: flags.minimalistic ?? false,
  });
  return flags.logits === true
    ? { ...graph, nodes: graph.nodes.filter(({ op }) => op !== 'softmax') }
    : graph;
}

async function weightSource({ weights, architecture }: ConvertFlags): Promise<WeightSource> {
  if (weights?.startsWith('random:')) return randomSource(seeded(weights));
  if (weights !== undefined) return sourceOf((await readWeights(weights)).tensors, architecture);
  const stored = await storedWeights(architecture);
  if (stored === null)
    throw new AdbreakError(
      'weights_unavailable',
      `Cannot convert ${architecture}: no weights are stored for it, and --weights names none`,
    );
  return sourceOf(stored.tensors, architecture);
}

async function readLabels(path: string): Promise<string[]> {
  const bytes = await readLimited(path, 1 << 20);
  if (bytes === undefined)
    throw new AdbreakError('not_found', `Cannot read the labels: ${path} does not exist`);
  return new TextDecoder().decode(bytes).trim().split(/\r?\n/);
}

export function architectureName(text: string): ArchitectureName {
  if (!isArchitecture(text))
    throw new InvalidArgumentError(`It must be one of ${Object.keys(ARCHITECTURES).join(', ')}.`);
  return text;
}
function calibrationMethod(text: string): CalibrationMethod {
  if (text === 'minmax' || text === 'mse') return { kind: text };
  const share = Number(/^percentile:(.+)$/.exec(text)?.[1]);
  if (!(share > 0.5 && share <= 1))
    throw new InvalidArgumentError(
      'It must be minmax, mse, or percentile:SHARE with a share above 0.5 and at most 1.',
    );
  return { kind: 'percentile', share };
}
