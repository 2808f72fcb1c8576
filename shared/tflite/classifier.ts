import { AdbreakError } from '../errors.js';
import { toReal } from './interpreter.js';
import type { Interpreter, TensorSpec } from './runtime.js';

/** A half that the float32 scale has moved is still a half. */
const TIE = 1e-3;

/**
 * RGB24 pixels -> the bytes of the model's input: q = round((x - mean) / std / scale) + zeroPoint, or
 * float32. Halves go down: of a mean of 127.5 every pixel is one, and the converter counts on pixel - 128. A
 * table of 256 entries, since a pixel has one byte.
 */
export function pixelEncoder(
  input: TensorSpec,
  { mean, std }: { mean: number; std: number },
): (pixels: Uint8Array) => Uint8Array {
  const real = Array.from({ length: 256 }, (_, x) => (x - mean) / std);
  if (input.type === 'float32') {
    const table = Float32Array.from(real);
    return (pixels) => new Uint8Array(lookUp(pixels, table, new Float32Array(pixels.length)).buffer);
  }
  if ((input.type !== 'int8' && input.type !== 'uint8') || input.quantization === null) {
    throw new AdbreakError(
      'model_unsupported',
      `Cannot use the model: input ${input.name} must be int8, uint8 or float32: current value is ${input.type}`,
    );
  }
  const { scale, zeroPoint } = input.quantization;
  const [low, high] = input.type === 'int8' ? [-128, 127] : [0, 255];
  const table = Uint8Array.from(
    real,
    (value) => Math.max(low, Math.min(high, Math.ceil(value / scale - 0.5 - TIE) + zeroPoint)) & 255,
  );
  return (pixels) => lookUp(pixels, table, new Uint8Array(pixels.length));
}

/** A plain loop: this runs for every byte of every frame, and `map` takes six times as long. */
function lookUp<T extends Uint8Array | Float32Array>(pixels: Uint8Array, table: T, out: T): T {
  for (let i = 0; i < pixels.length; i++) out[i] = table[pixels[i] ?? 0] ?? 0;
  return out;
}

/** Runs a two-class model on RGB24 frames and gives p(ad), the second output. */
export class AdClassifier implements Disposable {
  readonly #interpreter: Interpreter;
  readonly #encode: (pixels: Uint8Array) => Uint8Array;

  constructor(interpreter: Interpreter, normalization: { mean: number; std: number }) {
    const [input] = interpreter.inputs;
    const [output] = interpreter.outputs;
    if (input === undefined || output === undefined || output.shape.join() !== '1,2') {
      throw new AdbreakError(
        'model_unsupported',
        `Cannot use the model: its output must have shape [1,2]: current value is [${output?.shape.join()}]`,
      );
    }
    this.#interpreter = interpreter;
    this.#encode = pixelEncoder(input, normalization);
  }

  get input(): TensorSpec | undefined {
    return this.#interpreter.inputs[0];
  }

  async adProbability(pixels: Uint8Array): Promise<number> {
    return (await this.judge(pixels)).probability;
  }

  /**
   * p(ad), and what the model gives beside it: of a file made by `withFeatures` the features, else nothing.
   */
  async judge(pixels: Uint8Array): Promise<{ probability: number; features: Float32Array }> {
    const [bytes, more] = await this.#interpreter.invoke([this.#encode(pixels)]);
    const [spec, second] = this.#interpreter.outputs;
    if (bytes === undefined || spec === undefined)
      throw new AdbreakError('inference_failed', 'Cannot run the model: it gave no output');
    const probability = toReal(spec, bytes)[1] ?? Number.NaN;
    if (!Number.isFinite(probability))
      throw new AdbreakError(
        'inference_failed',
        `Cannot use the model's output: p(ad) must be a number: current value is ${probability}`,
      );
    const features = second && more ? toReal(second, more) : new Float32Array(0);
    return { probability, features };
  }

  [Symbol.dispose](): void {
    this.#interpreter[Symbol.dispose]();
  }
}
