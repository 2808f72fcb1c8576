import { AdbreakError } from '../errors.js';
import { fromHalf } from './half.js';
import type { TensorSpec } from './runtime.js';
import { BYTES_PER_ELEMENT, type TfliteModel } from './schema.js';

/** Inputs and outputs of the first subgraph as the file describes them. */
export function specsOf(model: TfliteModel): { inputs: TensorSpec[]; outputs: TensorSpec[] } {
  const graph = model.subgraphs[0];
  const describe = (index: number): TensorSpec => {
    const tensor = graph?.tensors[index];
    if (tensor === undefined)
      throw new AdbreakError('model_corrupt', `Cannot read the model: tensor ${index} is missing`);
    const scale = tensor.quantization?.scale[0];
    return {
      name: tensor.name,
      type: tensor.type,
      shape: tensor.shape.map((size) => (size < 0 ? 1 : size)),
      quantization: scale === undefined ? null : { scale, zeroPoint: tensor.quantization?.zeroPoint[0] ?? 0 },
    };
  };
  return { inputs: (graph?.inputs ?? []).map(describe), outputs: (graph?.outputs ?? []).map(describe) };
}

export function byteLength(spec: TensorSpec): number {
  return spec.shape.reduce((product, size) => product * size, BYTES_PER_ELEMENT[spec.type]);
}

export function checkInputs(specs: readonly TensorSpec[], inputs: readonly Uint8Array[]): void {
  if (inputs.length !== specs.length)
    throw new AdbreakError(
      'input_invalid',
      `Cannot run the model: it has ${specs.length} inputs: current value is ${inputs.length}`,
    );
  specs.forEach((spec, i) => {
    const given = inputs[i]?.byteLength ?? 0;
    if (given !== byteLength(spec)) {
      throw new AdbreakError(
        'input_invalid',
        `Cannot run the model: input ${JSON.stringify(spec.name)} must have ${byteLength(spec)} bytes: current value is ${given}`,
      );
    }
  });
}

/** Runs tasks one after another and closes behind the last: native memory must not be freed under a running call. */
export class SerialRunner {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new AdbreakError('inference_failed', 'Cannot run the model: it was disposed of'));
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  close(free: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#last.then(free);
  }
}

/** Real values of a tensor's raw bytes: real = scale * (q - zeroPoint). */
export function toReal(spec: TensorSpec, bytes: Uint8Array): Float32Array {
  const { scale, zeroPoint } = spec.quantization ?? { scale: 1, zeroPoint: 0 };
  const affine = (values: Int8Array | Uint8Array) =>
    Float32Array.from(values, (q) => scale * (q - zeroPoint));
  switch (spec.type) {
    case 'float16':
      return Float32Array.from(new Uint16Array(Uint8Array.from(bytes).buffer), fromHalf);
    case 'float32':
      return new Float32Array(Uint8Array.from(bytes).buffer);
    case 'int8':
      return affine(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    case 'uint8':
      return affine(bytes);
    case 'int32':
      return Float32Array.from(new Int32Array(Uint8Array.from(bytes).buffer));
    case 'int64':
      return Float32Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number);
  }
}
