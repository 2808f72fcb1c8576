import * as tf from '@tensorflow/tfjs-core';
import type { BatchStatistics, Layers, Sliding } from './layers.js';
import type { Execute } from './tensorflow.js';

/**
 * Layers on tfjs-node: its own convolutions with their gradients, and TensorFlow's fused kernels in place of
 * what tfjs composes of a dozen others.
 */
export function tensorflowLayers(execute: Execute): Layers {
  return {
    outputBytes: 2 ** 30,
    product: (rows, kernel) => tf.matMul(rows, kernel, false, true),
    convolution,
    depthwise,
    batchNorm: (x, gamma, beta, epsilon, onStatistics) =>
      batchNorm(execute, [x, gamma, beta], epsilon, onStatistics),
    relu6: (x) => relu6(execute, x),
  };
}

function convolution(x: tf.Tensor4D, kernel: tf.Tensor4D, { stride, padding }: Sliding): tf.Tensor4D {
  // OHWI -> HWIO
  return tf.conv2d(x, tf.transpose(kernel, [1, 2, 3, 0]), stride, padding);
}

function depthwise(x: tf.Tensor4D, kernel: tf.Tensor4D, { stride, padding }: Sliding): tf.Tensor4D {
  const [, height, width, channels] = kernel.shape;
  return tf.depthwiseConv2d(x, tf.reshape(kernel, [height, width, channels, 1]), stride, padding);
}

/** https://www.tensorflow.org/api_docs/cc: FusedBatchNormV3 and FusedBatchNormGradV3, in training. */
function batchNorm(
  execute: Execute,
  inputs: readonly [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D],
  epsilon: number,
  onStatistics: (statistics: BatchStatistics) => void,
): tf.Tensor4D {
  const attributes = { types: ['T', 'U'], floats: { epsilon }, flags: { is_training: true } };
  const op = tf.customGrad((x, gamma, beta, save) => {
    const none = tf.tensor1d([]);
    const given = [x, gamma, beta, none, none] as tf.Tensor[];
    const [y, mean, variance, ...reserved] = execute('FusedBatchNormV3', attributes, given, 6);
    if (y === undefined || mean === undefined || variance === undefined) throw missing('FusedBatchNormV3');
    onStatistics(statisticsOf(mean, variance, y.size / mean.size));
    (save as tf.GradSaveFunc)([x as tf.Tensor, gamma as tf.Tensor, ...reserved]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const gradients = execute('FusedBatchNormGradV3', attributes, [dy, ...saved], 5);
      return gradients.slice(0, 3);
    };
    return { value: y, gradFunc };
  });
  return op(...inputs) as tf.Tensor4D;
}

/** TensorFlow tells the variance of what the batch was drawn from: n / (n - 1) of the batch's own. */
function statisticsOf(mean: tf.Tensor, variance: tf.Tensor, rows: number): BatchStatistics {
  const own = rows > 1 ? (rows - 1) / rows : 1;
  return {
    mean: Float32Array.from(mean.dataSync()),
    variance: Float32Array.from(variance.dataSync(), (value) => value * own),
  };
}

function relu6(execute: Execute, x: tf.Tensor): tf.Tensor {
  const attributes = { types: ['T'] };
  const op = tf.customGrad((input, save) => {
    const [y] = execute('Relu6', attributes, [input as tf.Tensor], 1);
    if (y === undefined) throw missing('Relu6');
    (save as tf.GradSaveFunc)([y]);
    return {
      value: y,
      // The gradient is told apart by the output as well as by the input.
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
        ...execute('Relu6Grad', attributes, [dy, ...saved], 1),
      ],
    };
  });
  return op(x);
}

function missing(kernel: string): Error {
  return new Error(`${kernel} gave no output`);
}
