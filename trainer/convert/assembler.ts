import { AdbreakError } from '@adbreak/shared/errors.js';
import {
  BUILTIN,
  type BuiltinName,
  type OperatorOptions,
  type Quantization,
  type TensorType,
  type TfliteModel,
  type TfliteOperator,
  type TfliteTensor,
} from '@adbreak/shared/tflite/schema.js';

/** Collects tensors, buffers and operators of one subgraph; tensors are named and looked up by name. */
export class Assembler {
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #tensors: TfliteTensor[] = [];
  readonly #indices = new Map<string, number>();
  readonly #codes: { builtin: number; version: number }[] = [];
  readonly #operators: TfliteOperator[] = [];

  activation(
    name: string,
    shape: readonly number[],
    type: TensorType,
    quantization: Quantization | null,
  ): number {
    return this.#add({ name, shape, type, buffer: 0, quantization });
  }
  constant(
    name: string,
    shape: readonly number[],
    type: TensorType,
    data: ArrayBufferView,
    quantization: Quantization | null,
  ): number {
    this.#buffers.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return this.#add({ name, shape, type, buffer: this.#buffers.length - 1, quantization });
  }
  index(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined)
      throw new AdbreakError('model_unsupported', `Cannot assemble the model: there is no tensor ${name}`);
    return index;
  }
  operator(
    builtin: BuiltinName,
    version: number,
    inputs: readonly number[],
    outputs: readonly number[],
    options: OperatorOptions | null,
  ): void {
    let code = this.#codes.findIndex(
      (known) => known.builtin === BUILTIN[builtin] && known.version === version,
    );
    if (code < 0) code = this.#codes.push({ builtin: BUILTIN[builtin], version }) - 1;
    this.#operators.push({ code, inputs, outputs, options });
  }
  model(description: string, inputs: readonly string[], outputs: readonly string[]): TfliteModel {
    return {
      description,
      operatorCodes: this.#codes,
      buffers: this.#buffers,
      metadata: [],
      subgraphs: [
        {
          name: 'main',
          tensors: this.#tensors,
          operators: this.#operators,
          inputs: inputs.map((name) => this.index(name)),
          outputs: outputs.map((name) => this.index(name)),
        },
      ],
    };
  }

  #add(tensor: TfliteTensor): number {
    const index = this.#tensors.push(tensor) - 1;
    this.#indices.set(tensor.name, index);
    return index;
  }
}
