import { AdbreakError } from '@adbreak/shared/errors.js';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Activation,
  type FilteredNode,
  type Graph,
  isFiltered,
  type Node,
  type UnaryOp,
} from '../../nn/graph.js';
import { type BatchStatistics, batchNorm, convolution, depthwise, product } from './gradients.js';

/** A layer's trainable parts, as tensors in the graph's layouts. */
export interface LayerTensors {
  readonly kernel: tf.Tensor;
  readonly bias: tf.Tensor1D | null;
  readonly gamma: tf.Tensor1D | null;
  readonly beta: tf.Tensor1D | null;
}

/**
 * The graph's output for a batch, x [N, H, W, C], by other numbers than its own. Batch normalizations use the
 * batch's statistics, which are told by the layer's name; a graph to be tuned with frozen ones has them
 * folded away before.
 */
export function forward(
  graph: Graph,
  x: tf.Tensor4D,
  layers: ReadonlyMap<string, LayerTensors>,
  onStatistics: (layer: string, statistics: BatchStatistics) => void,
): tf.Tensor {
  const values = new Map<string, tf.Tensor>();
  let last: tf.Tensor = x;
  for (const node of graph.nodes) {
    last = node.op === 'input' ? x : compute(node, values, layers, onStatistics);
    values.set(node.name, last);
  }
  return last;
}

function compute(
  node: Node,
  values: ReadonlyMap<string, tf.Tensor>,
  layers: ReadonlyMap<string, LayerTensors>,
  onStatistics: (layer: string, statistics: BatchStatistics) => void,
): tf.Tensor {
  const tensorOf = (name: string): tf.Tensor => {
    const value = values.get(name);
    if (value === undefined)
      throw new AdbreakError(
        'model_unsupported',
        `Cannot train: ${node.name} reads ${name}, which is not there`,
      );
    return value;
  };
  if (isFiltered(node)) {
    const layer = layers.get(node.name);
    if (layer === undefined)
      throw new AdbreakError('model_unsupported', `Cannot train: ${node.name} has no numbers`);
    return filtered(node, tensorOf(node.input), layer, (statistics) => onStatistics(node.name, statistics));
  }
  switch (node.op) {
    case 'add':
      return activated(tf.add(tensorOf(node.inputs[0]), tensorOf(node.inputs[1])), node.activation);
    case 'mul':
      return activated(tf.mul(tensorOf(node.inputs[0]), tensorOf(node.inputs[1])), node.activation);
    case 'mean':
      return tf.mean(tensorOf(node.input), [1, 2], node.keepDims);
    case 'reshape': {
      const value = tensorOf(node.input);
      return tf.reshape(value, [value.shape[0] ?? 1, ...node.shape.slice(1)]);
    }
    case 'pad': {
      const [top, bottom, left, right] = node.around;
      return tf.pad(tensorOf(node.input), [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]);
    }
    case 'relu':
    case 'relu6':
    case 'hardSwish':
    case 'hardSigmoid':
    case 'logistic':
      return unary(node.op, tensorOf(node.input));
    default:
      throw new AdbreakError(
        'model_unsupported',
        `Cannot train: ${node.op} ${node.name} has no gradient here`,
      );
  }
}

function filtered(
  node: FilteredNode,
  x: tf.Tensor,
  { kernel, bias, gamma, beta }: LayerTensors,
  onStatistics: (statistics: BatchStatistics) => void,
): tf.Tensor {
  let y = linear(node, x, kernel);
  if (bias !== null) y = tf.add(y, bias);
  if (gamma !== null && beta !== null)
    y = batchNorm(y, gamma, beta, node.batchNorm?.epsilon ?? 1e-3, onStatistics);
  return activated(y, node.activation);
}

function linear(node: FilteredNode, x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  switch (node.op) {
    case 'conv2d':
      return convolution(x as tf.Tensor4D, kernel as tf.Tensor4D, node);
    case 'depthwise':
      return depthwise(x as tf.Tensor4D, kernel as tf.Tensor4D, node);
    case 'dense':
      return product(x as tf.Tensor2D, kernel as tf.Tensor2D);
  }
}

function activated(x: tf.Tensor, activation: Activation): tf.Tensor {
  return activation === 'none' ? x : unary(activation, x);
}

function unary(op: UnaryOp, x: tf.Tensor): tf.Tensor {
  switch (op) {
    case 'relu':
      return tf.relu(x);
    case 'relu6':
      return tf.relu6(x);
    case 'hardSigmoid':
      return tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6);
    case 'hardSwish':
      return tf.mul(x, tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6));
    case 'logistic':
      return tf.sigmoid(x);
  }
}
