import { AdbreakError } from '@adbreak/shared/errors.js';
import { pixelEncoder } from '@adbreak/shared/tflite/classifier.js';
import { toReal } from '@adbreak/shared/tflite/interpreter.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import type { Interpreter, TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import type { Normalization } from '../convert/quantize.js';
import { exposeActivations } from './inspect.js';

export interface Comparison {
  readonly images: number;
  /** Share of images on which both give the same class the highest score. */
  readonly agreement: number;
  readonly meanError: number;
  readonly largestError: number;
  /** Signal to error of the outputs, dB: 10 log10(Σ a² / Σ (a - b)²). */
  readonly decibels: number;
  /** Median milliseconds of each model, run in turns. */
  readonly latency: readonly [number, number];
}
export interface LayerComparison {
  readonly tensor: string;
  readonly decibels: number;
  readonly largestError: number;
}

/** Two models on the same pictures: what comes out, as real numbers, and how long it takes. Latency is taken A B A B. */
export async function compare(
  files: readonly [Uint8Array, Uint8Array],
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  normalization: Normalization,
  signal?: AbortSignal,
): Promise<Comparison> {
  using a = await runtime.open(files[0]);
  using b = await runtime.open(files[1]);
  const [encodeA, encodeB] = [encoderOf(a, normalization), encoderOf(b, normalization)];
  const times: [number[], number[]] = [[], []];
  const error = new ErrorSum();
  let agreed = 0;
  for (const frame of pixels) {
    signal?.throwIfAborted();
    const x = await timed(a, encodeA(frame), times[0]);
    const y = await timed(b, encodeB(frame), times[1]);
    if (x.length !== y.length)
      throw new AdbreakError(
        'input_invalid',
        `Cannot compare: the first model has ${x.length} outputs, the second ${y.length}`,
      );
    if (argmax(x) === argmax(y)) agreed += 1;
    error.add(x, y);
  }
  if (pixels.length === 0) throw new AdbreakError('input_invalid', 'Cannot compare: there are no images');
  return {
    images: pixels.length,
    agreement: agreed / pixels.length,
    ...error.result(),
    latency: [median(times[0]), median(times[1])],
  };
}

/** The tensors that both models name alike, in the first one's order. */
export async function compareLayers(
  files: readonly [Uint8Array, Uint8Array],
  runtime: TfliteRuntime,
  pixels: readonly Uint8Array[],
  normalization: Normalization,
): Promise<LayerComparison[]> {
  using a = await runtime.open(writeModel(exposeActivations(readModel(files[0]))));
  using b = await runtime.open(writeModel(exposeActivations(readModel(files[1]))));
  const [encodeA, encodeB] = [encoderOf(a, normalization), encoderOf(b, normalization)];
  const pairs = a.outputs.flatMap((spec, i) => {
    const j = b.outputs.findIndex(
      ({ name, shape }) => name === spec.name && shape.join() === spec.shape.join(),
    );
    return j < 0 ? [] : [{ tensor: spec.name, i, j, error: new ErrorSum() }];
  });
  for (const frame of pixels) {
    const [x, y] = [await a.invoke([encodeA(frame)]), await b.invoke([encodeB(frame)])];
    for (const { i, j, error } of pairs) error.add(real(a, i, x), real(b, j, y));
  }
  return pairs.map(({ tensor, error }) => {
    const { decibels, largestError } = error.result();
    return { tensor, decibels, largestError };
  });
}

class ErrorSum {
  #signal = 0;
  #noise = 0;
  #absolute = 0;
  #largest = 0;
  #count = 0;
  add(a: Float32Array, b: Float32Array): void {
    for (let i = 0; i < a.length; i++) {
      const difference = (a[i] ?? 0) - (b[i] ?? 0);
      this.#signal += (a[i] ?? 0) ** 2;
      this.#noise += difference ** 2;
      this.#absolute += Math.abs(difference);
      this.#largest = Math.max(this.#largest, Math.abs(difference));
    }
    this.#count += a.length;
  }
  result() {
    return {
      meanError: this.#absolute / this.#count,
      largestError: this.#largest,
      decibels: 10 * Math.log10(this.#signal / this.#noise),
    };
  }
}

function encoderOf(
  interpreter: Interpreter,
  normalization: Normalization,
): (pixels: Uint8Array) => Uint8Array {
  const [input] = interpreter.inputs;
  if (input === undefined)
    throw new AdbreakError('model_unsupported', 'Cannot compare: the model has no input');
  return pixelEncoder(input, normalization);
}
async function timed(interpreter: Interpreter, input: Uint8Array, times: number[]): Promise<Float32Array> {
  const started = performance.now();
  const outputs = await interpreter.invoke([input]);
  times.push(performance.now() - started);
  return real(interpreter, 0, outputs);
}
function real(interpreter: Interpreter, index: number, outputs: readonly Uint8Array[]): Float32Array {
  const [spec, bytes] = [interpreter.outputs[index], outputs[index]];
  if (spec === undefined || bytes === undefined)
    throw new AdbreakError('inference_failed', 'Cannot run the model: it gave no output');
  return toReal(spec, bytes);
}
function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
