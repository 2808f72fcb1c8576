import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { TfliteModel } from '@adbreak/shared/tflite/schema.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import type { Graph } from '../nn/graph.js';
import { type CalibrateOptions, calibrate, type Observation } from './calibrate.js';
import { correctBias } from './correct-bias.js';
import { checkFinite } from './emit.js';
import { emitFloat, type FloatWeights } from './float.js';
import type { CalibrationMethod } from './histogram.js';
import { calibrateInTwo, type KeepObserved } from './in-two.js';
import { equalize } from './optimise/equalize.js';
import { optimise } from './optimise/optimise.js';
import { type IoType, type Normalization, quantizeInt8, type Range } from './quantize.js';

export interface Int8Options {
  readonly normalization: Normalization;
  /** mse where nothing is said; minmax is what Google's converter does. */
  readonly method?: CalibrationMethod;
  readonly equalize?: boolean;
  /** On where nothing is said. */
  readonly correctBias?: boolean;
  readonly keepHardSwish?: boolean;
  readonly input?: IoType;
  readonly output?: IoType;
  readonly threads?: number;
  readonly onImage?: (done: number) => void;
  /** Keeps what calibration sees of the network before its last layer. */
  readonly keep?: KeepObserved;
  readonly signal?: AbortSignal;
}
export interface Int8Conversion {
  readonly model: TfliteModel;
  /** The graph that was quantized, lowered and folded. */
  readonly graph: Graph;
  readonly ranges: ReadonlyMap<string, Range>;
  /** Pairs of layers that equalization could balance. */
  readonly equalized: number;
}

/** Graph -> TFLite with float activations. */
export function convertFloat(graph: Graph, weights: FloatWeights = 'float32'): TfliteModel {
  checkFinite(graph);
  return emitFloat(optimise(graph, 'float'), { weights });
}

/**
 * Graph -> float TFLite -> calibration -> INT8 TFLite. `pixels` are RGB24 frames of the network's input size. Throws
 * `input_invalid` for weights that are no numbers and for a calibration set that is empty or shows nothing.
 */
export async function convertInt8(
  graph: Graph,
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  options: Int8Options,
): Promise<Int8Conversion> {
  checkFinite(graph);
  checkCalibrationSet(pixels);
  const lowered = optimise(graph, 'int8', { keepHardSwish: options.keepHardSwish ?? false });
  const balanced = options.equalize === true ? equalize(lowered) : { graph: lowered, pairs: 0 };
  const observations = await observationsOf(balanced.graph, runtime, pixels, options);
  const ranges = new Map([...observations].map(([name, { range }]) => [name, range]));
  const final = options.correctBias !== false ? correctBias(balanced.graph, observations) : balanced.graph;
  return { model: quantizeInt8(final, ranges, options), graph: final, ranges, equalized: balanced.pairs };
}

function observationsOf(
  graph: Graph,
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  { normalization, method = { kind: 'mse' }, threads = 1, keep, onImage, signal }: Int8Options,
): Promise<ReadonlyMap<string, Observation>> {
  const images = (function* () {
    for (const frame of pixels) yield normalize(frame, normalization);
  })();
  const options: CalibrateOptions = {
    method,
    threads,
    ...(onImage && { onImage }),
    ...(signal && { signal }),
  };
  if (keep === undefined) return calibrate(graph, runtime, images, options);
  return calibrateInTwo(
    graph,
    runtime,
    { images, about: [normalization, ...pixels.map(sha256)] },
    options,
    keep,
  );
}

/** Float32 TFLite file of a graph. */
export function convertToFloat(graph: Graph): Uint8Array {
  return writeModel(convertFloat(graph));
}

/** INT8 TFLite file of a graph. */
export async function convertToInt8(
  graph: Graph,
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  options: Int8Options,
): Promise<Uint8Array> {
  return writeModel((await convertInt8(graph, runtime, pixels, options)).model);
}

/** Ranges from pictures of one colour are ranges of nothing: every activation behind them would clip. */
function checkCalibrationSet(pixels: readonly Uint8Array[]): void {
  if (pixels.length === 0)
    throw new AdbreakError('input_invalid', 'Cannot calibrate: the calibration set is empty');
  const flat = pixels.every((frame) => frame.every((value, i) => value === frame[i % 3]));
  if (flat)
    throw new AdbreakError(
      'input_invalid',
      `Cannot calibrate: each of the ${pixels.length} calibration images has one colour; give pictures like those the model will see`,
    );
}

/** RGB24 -> what the network sees: (x - mean) / std. */
export function normalize(pixels: Uint8Array, { mean, std }: Normalization): Float32Array {
  // A loop: Float32Array.from with a function takes 25 times as long.
  const image = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) image[i] = ((pixels[i] ?? 0) - mean) / std;
  return image;
}
