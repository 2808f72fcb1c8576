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
import type { BatchStatistics, Layers } from './layers.js';

/** A layer's trainable parts, as tensors in the graph's layouts. */
export interface LayerTensors {
  readonly kernel: tf.Tensor;
  readonly bias: tf.Tensor1D | null;
  readonly gamma: tf.Tensor1D | null;
  readonly beta: tf.Tensor1D | null;
}

/** What a forward pass computes with. */
export interface Pass {
  readonly layers: Layers;
  /** By the layer's name. */
  readonly numbers: ReadonlyMap<string, LayerTensors>;
  readonly onStatistics: (layer: string, statistics: BatchStatistics) => void;
}

/**
 * The graph's output for a batch, x [N, H, W, C], by other numbers than its own. Batch normalizations use the
 * batch's statistics, which are told by the layer's name; a graph to be tuned with frozen ones has them
 * folded away before.
 */
export function forward(graph: Graph, x: tf.Tensor4D, pass: Pass): tf.Tensor {
  const values = new Map<string, tf.Tensor>();
  let last: tf.Tensor = x;
  for (const node of graph.nodes) {
    last = node.op === 'input' ? x : compute(node, values, pass);
    values.set(node.name, last);
  }
  return last;
}

function compute(node: Node, values: ReadonlyMap<string, tf.Tensor>, pass: Pass): tf.Tensor {
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
    const numbers = pass.numbers.get(node.name);
    if (numbers === undefined)
      throw new AdbreakError('model_unsupported', `Cannot train: ${node.name} has no numbers`);
    return filtered(node, tensorOf(node.input), numbers, pass);
  }
  switch (node.op) {
    case 'add':
      return activated(tf.add(tensorOf(node.inputs[0]), tensorOf(node.inputs[1])), node.activation, pass);
    case 'mul':
      return activated(tf.mul(tensorOf(node.inputs[0]), tensorOf(node.inputs[1])), node.activation, pass);
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
      return unary(node.op, tensorOf(node.input), pass);
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
  pass: Pass,
): tf.Tensor {
  let y = linear(node, x, kernel, pass.layers);
  if (bias !== null) y = tf.add(y, bias);
  if (gamma !== null && beta !== null)
    y = pass.layers.batchNorm(y as tf.Tensor4D, gamma, beta, node.batchNorm?.epsilon ?? 1e-3, (statistics) =>
      pass.onStatistics(node.name, statistics),
    );
  return activated(y, node.activation, pass);
}

function linear(node: FilteredNode, x: tf.Tensor, kernel: tf.Tensor, layers: Layers): tf.Tensor {
  switch (node.op) {
    case 'conv2d':
      return layers.convolution(x as tf.Tensor4D, kernel as tf.Tensor4D, node);
    case 'depthwise':
      return layers.depthwise(x as tf.Tensor4D, kernel as tf.Tensor4D, node);
    case 'dense':
      return layers.product(x as tf.Tensor2D, kernel as tf.Tensor2D);
  }
}

function activated(x: tf.Tensor, activation: Activation, pass: Pass): tf.Tensor {
  return activation === 'none' ? x : unary(activation, x, pass);
}

function unary(op: UnaryOp, x: tf.Tensor, { layers }: Pass): tf.Tensor {
  switch (op) {
    case 'relu':
      return tf.relu(x);
    case 'relu6':
      return layers.relu6(x);
    case 'hardSigmoid':
      return tf.mul(layers.relu6(tf.add(x, 3)), 1 / 6);
    case 'hardSwish':
      return tf.mul(x, tf.mul(layers.relu6(tf.add(x, 3)), 1 / 6));
    case 'logistic':
      return tf.sigmoid(x);
  }
}
