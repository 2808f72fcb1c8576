import { seeded } from '@adbreak/shared/random.js';
import * as tf from '@tensorflow/tfjs-core';
import { initialLayers, SMALL_NET, type SmallLayer } from '../nn/small-net.js';
import { openBackend } from './backend.js';

export interface LabelledPixels {
  readonly pixels: Uint8Array;
  readonly isAd: boolean;
}

const BATCH = 32;
const RATE = 1e-3;

/**
 * Trains the small network from scratch on pictures of `size`: cross-entropy on a linear read-out, Adam. Its
 * convolutions are matrix products over patches, whose gradients every backend has.
 */
export async function fitSmallNet(
  examples: readonly LabelledPixels[],
  normalization: { mean: number; std: number },
  options: {
    size: { width: number; height: number };
    seed: number;
    epochs: number;
    onEpoch?: (epoch: number, loss: number) => void;
    signal?: AbortSignal;
  },
): Promise<SmallLayer[]> {
  await openBackend();
  const random = seeded(`small-net/${options.seed}`);
  const initial = initialLayers(random);
  const layers = initial.map(({ patch, kernel, bias }) => {
    const out = bias.length;
    // OHWI -> [patch * patch * in, out]
    return {
      patch,
      out,
      kernel: tf.variable(
        tf.tidy(() => tf.transpose(tf.tensor2d(kernel.data, [out, kernel.data.length / out]))),
      ),
      bias: tf.variable(tf.tensor1d(bias)),
    };
  });
  const readout = {
    kernel: tf.variable(
      tf.mul(tf.randomNormal([SMALL_NET.features, 2], 0, 1, 'float32', options.seed), 0.05),
    ),
    bias: tf.variable(tf.zeros([2])),
  };
  const optimizer = tf.train.adam(RATE);
  const batchSize = Math.min(BATCH, examples.length);
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    let total = 0;
    const order = random.shuffle(examples);
    for (let at = 0; at + batchSize <= order.length; at += batchSize) {
      total += tf.tidy(() => {
        const batch = order.slice(at, at + batchSize);
        const { height, width } = options.size;
        const images = tf.tensor4d(imagesOf(batch, normalization), [batchSize, height, width, 3]);
        const targets = tf.tensor2d(
          batch.flatMap(({ isAd }) => (isAd ? [0, 1] : [1, 0])),
          [batchSize, 2],
        );
        const loss = optimizer.minimize(() => {
          const logits = tf.add(
            tf.matMul(featuresOf(images, layers), readout.kernel as tf.Tensor2D),
            readout.bias,
          );
          return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), 1))) as tf.Scalar;
        }, true);
        return (loss?.dataSync()[0] ?? 0) * batchSize;
      });
      await new Promise(setImmediate);
      options.signal?.throwIfAborted();
    }
    options.onEpoch?.(epoch, total / examples.length);
  }
  const trained = layers.map((layer, i): SmallLayer => {
    const start = initial[i];
    if (start === undefined) throw new RangeError(`layer ${i}`);
    const data = tf.tidy(() => Float32Array.from(tf.transpose(layer.kernel).dataSync()));
    return {
      name: start.name,
      patch: start.patch,
      kernel: { shape: start.kernel.shape, data },
      bias: Float32Array.from(layer.bias.dataSync()),
    };
  });
  tf.disposeVariables();
  optimizer.dispose();
  return trained;
}

function imagesOf(
  batch: readonly LabelledPixels[],
  { mean, std }: { mean: number; std: number },
): Float32Array {
  const size = batch[0]?.pixels.length ?? 0;
  const images = new Float32Array(batch.length * size);
  batch.forEach(({ pixels }, i) => {
    for (let p = 0; p < size; p++) images[i * size + p] = ((pixels[p] ?? 0) - mean) / std;
  });
  return images;
}

/** [B, H, W, 3] -> [B, 96]: patches, matrix product, relu6, layer by layer; then the mean. */
function featuresOf(
  images: tf.Tensor4D,
  layers: readonly { patch: number; out: number; kernel: tf.Tensor; bias: tf.Tensor }[],
): tf.Tensor2D {
  let x: tf.Tensor = images;
  for (const { patch, out, kernel, bias } of layers) {
    const [b = 0, h = 0, w = 0, c = 0] = x.shape;
    // A window that does not divide the side is dropped at the edge, as VALID padding does.
    const [rows, columns] = [Math.floor(h / patch), Math.floor(w / patch)];
    const whole = tf.slice(x, [0, 0, 0, 0], [b, rows * patch, columns * patch, c]);
    const patches = tf.reshape(
      tf.transpose(tf.reshape(whole, [b, rows, patch, columns, patch * c]), [0, 1, 3, 2, 4]),
      [b * rows * columns, patch * patch * c],
    );
    const flat = tf.add(tf.matMul(patches as tf.Tensor2D, kernel as tf.Tensor2D), bias);
    x = tf.reshape(tf.minimum(tf.relu(flat), 6), [b, rows, columns, out]);
  }
  return tf.mean(x, [1, 2]) as tf.Tensor2D;
}
