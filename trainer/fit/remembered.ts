import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { withFeatures } from '@adbreak/shared/tflite/features.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import type { Interpreter, TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { TfliteModel, TfliteOperator } from '@adbreak/shared/tflite/schema.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { FeatureStore, pictureKey } from './feature-store.js';

export interface RememberOptions {
  readonly threads: number;
  /** Folder of what is kept. */
  readonly cache: string;
}
/** An interpreter whose answers cost its last layer alone where the rest is known. */
export interface Remembering extends Disposable {
  readonly interpreter: Interpreter;
  /** Makes what was computed durable. Throws `disk_full`. */
  save(): Promise<void>;
}

const FORMAT = 1;
/** So many known answers are computed whole all the same, and must be what memory says. */
const CHECKED = 8;

/**
 * Opens an INT8 file with its features as a second output, as `withFeatures` has it. What the layers before the
 * last one make of an input is kept under a digest of these layers and of the runtime: a file that differs in
 * its head alone gives the same bytes for a hundredth of the work. Nothing is to be learnt of its speed.
 * Throws as the runtime does, and `inference_failed` where memory and model differ.
 */
export async function openRemembering(
  file: Uint8Array,
  runtime: TfliteRuntime,
  { threads, cache }: RememberOptions,
): Promise<Remembering> {
  const model = withFeatures(file);
  const { body, head } = inTwo(readModel(model));
  const whole = await runtime.open(model, { threads });
  const tail = await runtime.open(writeModel(head), { threads: 1 });
  // INT8: a value is a byte.
  const rowBytes = tail.inputs[0]?.shape.reduce((product, size) => product * size, 1) ?? 0;
  const about = [FORMAT, runtime.name, runtime.version, sha256(writeModel(body))];
  const store = await FeatureStore.open(join(cache, sha256(JSON.stringify(about)).slice(0, 32)), rowBytes);
  let checked = 0;
  const invoke = async (inputs: readonly Uint8Array[]): Promise<Uint8Array[]> => {
    const key = pictureKey(inputs[0] ?? new Uint8Array(0));
    const known = store.has(key) ? store.get(key) : null;
    const answer = known === null ? null : [...(await tail.invoke([known])), known];
    if (answer !== null && checked++ >= CHECKED) return answer;
    const computed = await whole.invoke(inputs);
    if (answer !== null && !answer.every((bytes, i) => Buffer.compare(bytes, computed[i] ?? bytes) === 0))
      throw new AdbreakError('inference_failed', `Cannot use the cache ${cache}: the model says otherwise`, {
        remedy: 'Delete that folder: what it holds is computed again.',
      });
    store.put(key, computed[1] ?? new Uint8Array(0));
    return computed;
  };
  return {
    interpreter: {
      inputs: whole.inputs,
      outputs: whole.outputs,
      invoke,
      [Symbol.dispose]: () => undefined,
    },
    save: () => store.save(),
    [Symbol.dispose]: () => {
      whole[Symbol.dispose]();
      tail[Symbol.dispose]();
    },
  };
}

/** The layers up to the features, and those behind them, each with what it needs alone. */
function inTwo(model: TfliteModel): { readonly body: TfliteModel; readonly head: TfliteModel } {
  const { inputs = [], outputs = [], operators = [] } = model.subgraphs[0] ?? {};
  const [answer = 0, features = 0] = outputs;
  const behind = new Set([features]);
  const tail = operators.filter((operator) => {
    if (!operator.inputs.some((tensor) => behind.has(tensor))) return false;
    for (const tensor of operator.outputs) behind.add(tensor);
    return true;
  });
  const front = operators.filter((operator) => !tail.includes(operator));
  return { body: part(model, front, inputs, [features]), head: part(model, tail, [features], [answer]) };
}

/** Some operators of a model as one of its own: with their tensors and buffers, counted anew, and no others. */
function part(
  model: TfliteModel,
  operators: readonly TfliteOperator[],
  inputs: readonly number[],
  outputs: readonly number[],
): TfliteModel {
  const named = [...inputs, ...outputs, ...operators.flatMap((one) => [...one.inputs, ...one.outputs])];
  const used = [...new Set(named)].filter((tensor) => tensor >= 0).sort((a, b) => a - b);
  const tensors = used.flatMap((index) => model.subgraphs[0]?.tensors[index] ?? []);
  const buffers = [...new Set([0, ...tensors.map(({ buffer }) => buffer)])];
  const placeOf = (tensor: number) => used.indexOf(tensor);
  return {
    description: '',
    operatorCodes: model.operatorCodes,
    subgraphs: [
      {
        name: '',
        tensors: tensors.map((tensor) => ({ ...tensor, buffer: buffers.indexOf(tensor.buffer) })),
        inputs: inputs.map(placeOf),
        outputs: outputs.map(placeOf),
        operators: operators.map((one) => ({
          ...one,
          inputs: one.inputs.map(placeOf),
          outputs: one.outputs.map(placeOf),
        })),
      },
    ],
    buffers: buffers.map((buffer) => model.buffers[buffer] ?? new Uint8Array(0)),
    metadata: [],
  };
}
