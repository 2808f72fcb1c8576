import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { foldBatchNorm, type Graph } from '../nn/graph.js';
import { calibrate } from './calibrate.js';
import { checkFinite, emitFloat } from './emit.js';
import { pixelAffine, quantizeInt8 } from './quantize.js';

/** Graph -> float32 TFLite. */
export function convertToFloat(graph: Graph): Uint8Array {
  const folded = foldBatchNorm(graph);
  checkFinite(folded);
  return writeModel(emitFloat(folded, { exposeActivations: false }));
}

/** Graph -> float TFLite -> calibration -> INT8 TFLite. `pixels` are RGB24 frames of the network's input size. */
export async function convertToInt8(
  graph: Graph,
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  normalization: { mean: number; std: number },
  threads = 1,
): Promise<Uint8Array> {
  const folded = foldBatchNorm(graph);
  checkFinite(folded);
  const images = (function* () {
    for (const frame of pixels) yield normalize(frame, normalization);
  })();
  const ranges = await calibrate(folded, runtime, images, threads);
  return writeModel(quantizeInt8(folded, ranges, pixelAffine(normalization)));
}

/** RGB24 -> what the network sees: (x - mean) / std. */
export function normalize(pixels: Uint8Array, { mean, std }: { mean: number; std: number }): Float32Array {
  // A loop: Float32Array.from with a function takes 25 times as long.
  const image = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) image[i] = ((pixels[i] ?? 0) - mean) / std;
  return image;
}
