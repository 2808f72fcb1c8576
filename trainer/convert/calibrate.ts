import { AdbreakError } from '@adbreak/shared/errors.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import type { Graph } from '../nn/graph.js';
import { computedNodes } from './emit.js';
import { emitFloat } from './float.js';
import { type CalibrationMethod, Histogram } from './histogram.js';
import type { Range } from './quantize.js';

/** What one activation did over the calibration set. */
export interface Observation {
  readonly range: Range;
  /** Mean of every channel (the last axis). */
  readonly channelMeans: Float64Array;
}
export interface CalibrateOptions {
  readonly method: CalibrationMethod;
  readonly threads: number;
  readonly onImage?: (done: number) => void;
  /** The graph's output for each image, in their order. */
  readonly onOutput?: (values: Float32Array) => void;
  readonly signal?: AbortSignal;
}

/**
 * Range and channel means of every activation, by running the float model with all activations as outputs. `images` are
 * inputs as the network sees them, float32 [1, H, W, 3]. The next image runs in the library's thread while the values of
 * the last one are read here.
 */
export async function calibrate(
  graph: Graph,
  runtime: TfliteRuntime,
  images: Iterable<Float32Array> | AsyncIterable<Float32Array>,
  options: CalibrateOptions,
): Promise<Map<string, Observation>> {
  const names = computedNodes(graph);
  using interpreter = await runtime.open(writeModel(emitFloat(graph, { exposeActivations: true })), {
    threads: options.threads,
  });
  const watchers = interpreter.outputs.map(
    ({ shape }) => new Watcher(shape.at(-1) ?? 1, options.method.kind !== 'minmax'),
  );
  let count = 0;
  const read = (outputs: readonly Uint8Array[]) => {
    const values = outputs.map(
      ({ buffer, byteOffset, byteLength }) => new Float32Array(buffer, byteOffset, byteLength / 4),
    );
    values.forEach((tensor, i) => {
      watchers[i]?.take(tensor);
    });
    options.onOutput?.(values.at(-1) ?? new Float32Array(0));
    count += 1;
    options.onImage?.(count);
  };
  let running: Promise<Uint8Array[]> | null = null;
  for await (const image of images) {
    options.signal?.throwIfAborted();
    const outputs = await running;
    running = interpreter.invoke([new Uint8Array(image.buffer, image.byteOffset, image.byteLength)]);
    // Lets the call leave for its thread before this one gets busy.
    await new Promise(setImmediate);
    if (outputs !== null) read(outputs);
  }
  const last = await running;
  if (last !== null) read(last);
  if (count === 0) throw new AdbreakError('input_invalid', 'Cannot calibrate: the calibration set is empty');
  return new Map(
    names.map((name, i) => [name, (watchers[i] ?? new Watcher(1, false)).observation(name, options.method)]),
  );
}

class Watcher {
  readonly #sums: Float64Array;
  readonly #histogram: Histogram | null;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #rows = 0;

  constructor(channels: number, histogram: boolean) {
    this.#sums = new Float64Array(channels);
    this.#histogram = histogram ? new Histogram() : null;
  }

  take(values: Float32Array): void {
    let min = this.#min;
    let max = this.#max;
    const sums = this.#sums;
    const channels = sums.length;
    for (let row = 0; row < values.length; row += channels) {
      for (let c = 0; c < channels; c++) {
        const value = values[row + c] ?? 0;
        if (value < min) min = value;
        if (value > max) max = value;
        sums[c] = (sums[c] ?? 0) + value;
      }
    }
    this.#min = min;
    this.#max = max;
    this.#rows += values.length / channels;
    this.#histogram?.add(values, min, max);
  }

  observation(name: string, method: CalibrationMethod): Observation {
    const range = { min: this.#min, max: this.#max };
    // NaN is neither smaller nor larger than anything: only the sums show it.
    const sum = this.#sums.reduce((a, b) => a + b, 0);
    if (!Number.isFinite(sum) || !Number.isFinite(range.min) || !Number.isFinite(range.max))
      throw new AdbreakError(
        'input_invalid',
        `Cannot calibrate: ${name} is not a finite number on some image; the weights overflow there`,
      );
    return {
      range: this.#histogram?.range(method, range) ?? range,
      channelMeans: this.#sums.map((value) => value / this.#rows),
    };
  }
}
