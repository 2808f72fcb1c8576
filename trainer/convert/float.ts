import { toHalf } from '@adbreak/shared/tflite/half.js';
import type { TfliteModel } from '@adbreak/shared/tflite/schema.js';
import type { FilteredNode, Graph } from '../nn/graph.js';
import type { Assembler } from './assembler.js';
import { biasOf, computedNodes, type Emitter, emit } from './emit.js';
import { kernelScales, quantizeKernel } from './weights.js';

/** Weights of a model whose activations are float32. */
export type FloatWeights = 'float32' | 'float16' | 'int8';

/**
 * The model with float32 activations. Weights are float32; float16, widened when the model is loaded (half the file,
 * the same speed); or int8 for convolutions and dense layers of at least 1,024 weights ("dynamic range": the kernels
 * quantize activations as they come). With `exposeActivations` every computed tensor is an output.
 */
export function emitFloat(
  graph: Graph,
  options: { exposeActivations?: boolean; weights?: FloatWeights } = {},
): TfliteModel {
  const weights = options.weights ?? 'float32';
  const small = (node: FilteredNode) => node.op !== 'depthwise' && node.kernel.data.length >= 1024;
  const emitter: Emitter = {
    type: 'float32',
    // Hybrid kernels: CONV_2D per channel is version 5, FULLY_CONNECTED version 3 (tensorflow/lite/tools/versioning/op_version.cc).
    version: (node) =>
      weights === 'int8' && node.op === 'conv2d' && small(node)
        ? 5
        : weights === 'int8' && node.op === 'dense' && small(node)
          ? 3
          : 1,
    quantizationOf: () => null,
    constant: (assembler, { name, value }) =>
      assembler.constant(name, value.shape, 'float32', value.data, null),
    filters: (assembler, node) => {
      const { data, shape } = node.kernel;
      const kernel = `${node.name}/kernel`;
      const bias = assembler.constant(
        `${node.name}/bias`,
        [biasOf(node).length],
        'float32',
        biasOf(node),
        null,
      );
      if (weights === 'float16') return [half(assembler, kernel, shape, data), bias];
      if (weights === 'int8' && small(node)) return [dynamic(assembler, kernel, node), bias];
      return [assembler.constant(kernel, shape, 'float32', data, null), bias];
    },
  };
  return emit(graph, emitter, options.exposeActivations === true ? { outputs: computedNodes(graph) } : {});
}

function half(assembler: Assembler, name: string, shape: readonly number[], data: Float32Array): number {
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) halves[i] = toHalf(data[i] ?? 0);
  const stored = assembler.constant(`${name}/half`, shape, 'float16', halves, null);
  const widened = assembler.activation(name, shape, 'float32', null);
  assembler.operator('DEQUANTIZE', 3, [stored], [widened], { name: 'Dequantize', fields: {} });
  return widened;
}

function dynamic(assembler: Assembler, name: string, node: FilteredNode): number {
  const scales = kernelScales(node, null);
  const perTensor = node.op === 'dense';
  const quantization = {
    scale: perTensor ? scales.slice(0, 1) : scales,
    zeroPoint: Array(perTensor ? 1 : scales.length).fill(0),
    dimension: 0,
  };
  return assembler.constant(name, node.kernel.shape, 'int8', quantizeKernel(node, scales), quantization);
}
