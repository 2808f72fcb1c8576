import { AdbreakError } from '@adbreak/shared/errors.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import type { Graph } from '../nn/graph.js';
import { computedNodes, emitFloat } from './emit.js';
import type { Range } from './quantize.js';

/**
 * Smallest and largest value of every activation over the calibration set, by running the float model with all
 * activations as outputs. `images` are inputs as the network sees them, float32 [1, H, W, 3].
 */
export async function calibrate(
  graph: Graph,
  runtime: TfliteRuntime,
  images: Iterable<Float32Array> | AsyncIterable<Float32Array>,
  threads = 1,
): Promise<Map<string, Range>> {
  const names = computedNodes(graph);
  using interpreter = await runtime.open(writeModel(emitFloat(graph, { exposeActivations: true })), { threads });
  const ranges = new Map<string, { min: number; max: number }>(names.map((name) => [name, { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }]));
  let count = 0;
  for await (const image of images) {
    const outputs = await interpreter.invoke([new Uint8Array(image.buffer, image.byteOffset, image.byteLength)]);
    count += 1;
    outputs.forEach((bytes, i) => {
      const range = ranges.get(names[i] ?? '');
      if (range !== undefined) widen(range, new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
    });
  }
  if (count === 0) throw new AdbreakError('input_invalid', 'Cannot calibrate: the calibration set is empty');
  return ranges;
}

function widen(range: { min: number; max: number }, values: Float32Array): void {
  let { min, max } = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  range.min = min;
  range.max = max;
}
