import { AdbreakError } from '../errors.js';
import { readModel } from './read.js';
import { BUILTIN, type TfliteModel } from './schema.js';
import { writeModel } from './write.js';

/**
 * The same model with a second output: the features, one vector, that its last dense layer reads. Throws
 * `model_unsupported` where it ends in another way.
 */
export function withFeatures(file: Uint8Array): Uint8Array {
  const model = readModel(file);
  const features = featuresOf(model);
  return writeModel({
    ...model,
    subgraphs: model.subgraphs.map((graph, i) =>
      i > 0 ? graph : { ...graph, outputs: [...graph.outputs, features] },
    ),
  });
}

/**
 * What has weights and may end a network: a dense layer is a 1x1 convolution in INT8 (docs/decisions/008).
 */
const WEIGHTED: readonly number[] = [BUILTIN.FULLY_CONNECTED, BUILTIN.CONV_2D];

/**
 * Index of the tensor: what the nearest layer with weights before the output reads, if that is one vector.
 */
function featuresOf(model: TfliteModel): number {
  const graph = model.subgraphs[0];
  let tensor = graph?.outputs[0];
  for (let steps = graph?.operators.length ?? 0; steps > 0; steps--) {
    const made = graph?.operators.find(({ outputs }) => outputs.includes(tensor ?? -1));
    if (made === undefined) break;
    tensor = made.inputs[0];
    if (!WEIGHTED.includes(model.operatorCodes[made.code]?.builtin ?? -1)) continue;
    const shape = graph?.tensors[tensor ?? -1]?.shape ?? [];
    if (tensor !== undefined && shape.slice(0, -1).every((size) => Math.abs(size) === 1)) return tensor;
    break;
  }
  throw new AdbreakError(
    'model_unsupported',
    'Cannot read the features of the model: no dense layer leads to its output',
  );
}
