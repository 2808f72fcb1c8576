import type * as tf from '@tensorflow/tfjs-core';

export interface Sliding {
  readonly stride: number;
  readonly padding: 'same' | 'valid';
}
/** Mean and variance of each channel of a batch. */
export interface BatchStatistics {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/**
 * Layers with their gradients, as one backend computes them fastest. Kernels are laid out as graphs have
 * them. Every implementation passes the suite in layers.test.ts.
 */
export interface Layers {
  /** What the outputs of all layers may take in one pass; a larger batch goes through in parts. */
  readonly outputBytes: number;
  /** rows [M, K] times kernel [O, K], transposed -> [M, O] */
  product(rows: tf.Tensor2D, kernel: tf.Tensor2D): tf.Tensor2D;
  /** x [N, H, W, I], kernel OHWI -> [N, H', W', O] */
  convolution(x: tf.Tensor4D, kernel: tf.Tensor4D, sliding: Sliding): tf.Tensor4D;
  /** x [N, H, W, C], kernel [1, kh, kw, C] -> [N, H', W', C] */
  depthwise(x: tf.Tensor4D, kernel: tf.Tensor4D, sliding: Sliding): tf.Tensor4D;
  /**
   * Batch normalization by the batch's own statistics (Ioffe and Szegedy 2015), which are handed over: x
   * [N, H, W, C]. The variance is the batch's own, divided by the number of values.
   */
  batchNorm(
    x: tf.Tensor4D,
    gamma: tf.Tensor1D,
    beta: tf.Tensor1D,
    epsilon: number,
    onStatistics: (statistics: BatchStatistics) => void,
  ): tf.Tensor4D;
  /** min(max(x, 0), 6) */
  relu6(x: tf.Tensor): tf.Tensor;
}
