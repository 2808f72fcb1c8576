import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import * as tf from '@tensorflow/tfjs-core';
import { openBackend } from './backend.js';

/** Rows of features, row-major [rows, width], with their labels. */
export interface Examples {
  readonly width: number;
  readonly features: Float32Array;
  readonly isAd: readonly boolean[];
}
/** logits = kernel · features + bias; kernel [2, width]; standardisation and temperature are folded in. */
export interface Head {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly epochs: number;
  readonly validationLoss: number;
  readonly temperature: number;
}
interface FitOptions {
  readonly seed: number;
  readonly epochs?: number;
  readonly onEpoch?: (epoch: number, validationLoss: number) => void;
  readonly signal?: AbortSignal;
}

const BATCH = 256;
const RATE = 5e-4;
const L2 = 3e-3;
const PATIENCE = 8;

/**
 * Multinomial logistic regression on standardised features, Adam, L2, early stopping on validation loss, then one
 * temperature fitted on validation (Guo et al. 2017). Throws `training_failed` where a class is missing.
 */
export async function fitHead(
  train: Examples,
  validation: Examples,
  { seed, epochs = 80, onEpoch, signal }: FitOptions,
): Promise<Head> {
  await openBackend();
  for (const [name, { isAd }] of [
    ['train', train],
    ['val', validation],
  ] as const) {
    if (!isAd.includes(true) || !isAd.includes(false))
      throw new AdbreakError(
        'training_failed',
        `Cannot train: the split ${name} needs frames of both ad and content; it has ${isAd.length} frames`,
      );
  }
  const { mean, std } = statistics(train);
  const width = train.width;
  const random = seeded(`head/${seed}`);
  const rows = (examples: Examples) =>
    tf.tidy(
      () => tf.tensor2d(examples.features, [examples.isAd.length, width]).sub(mean).div(std) as tf.Tensor2D,
    );
  const targets = (examples: Examples) =>
    tf.tensor2d(
      examples.isAd.flatMap((ad) => (ad ? [0, 1] : [1, 0])),
      [examples.isAd.length, 2],
    );
  const x = rows(train);
  const y = targets(train);
  const vx = rows(validation);
  const vy = targets(validation);
  const kernel = tf.variable(
    tf.tensor2d(
      Float32Array.from({ length: width * 2 }, () => random.normal() * 0.01),
      [width, 2],
    ),
  );
  const bias = tf.variable(tf.zeros([2]));
  const optimizer = tf.train.adam(RATE);
  let best = {
    loss: Number.POSITIVE_INFINITY,
    epoch: 0,
    kernel: new Float32Array(0),
    bias: new Float32Array(0),
    logits: new Float32Array(0),
  };
  for (let epoch = 1; epoch <= epochs && epoch - best.epoch <= PATIENCE; epoch++) {
    const order = random.shuffle(Array.from({ length: train.isAd.length }, (_, i) => i));
    for (let at = 0; at < order.length; at += BATCH) {
      tf.tidy(() => {
        const index = tf.tensor1d(order.slice(at, at + BATCH), 'int32');
        const [bx, by] = [tf.gather(x, index), tf.gather(y, index)];
        optimizer.minimize(
          () =>
            crossEntropy(tf.add(tf.matMul(bx, kernel), bias) as tf.Tensor2D, by).add(
              tf.sum(tf.square(kernel)).mul(L2),
            ) as tf.Scalar,
        );
      });
    }
    const logits = tf.tidy(() => tf.add(tf.matMul(vx, kernel), bias) as tf.Tensor2D);
    const loss = tf.tidy(() => crossEntropy(logits, vy).dataSync()[0] ?? Number.NaN);
    if (loss < best.loss)
      best = { loss, epoch, kernel: copy(kernel), bias: copy(bias), logits: copy(logits) };
    logits.dispose();
    onEpoch?.(epoch, loss);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  for (const tensor of [x, y, vx, vy, kernel, bias]) tensor.dispose();
  optimizer.dispose();
  const temperature = fitTemperature(best.logits, validation.isAd);
  const folded = foldStandardisation(best.kernel, best.bias, copy(mean), copy(std), temperature);
  mean.dispose();
  std.dispose();
  return { ...folded, epochs: best.epoch, validationLoss: best.loss, temperature };
}

function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor): tf.Scalar {
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), 1))) as tf.Scalar;
}

function copy(tensor: tf.Tensor): Float32Array<ArrayBuffer> {
  return Float32Array.from(tensor.dataSync());
}

function statistics({ features, width, isAd }: Examples): { mean: tf.Tensor1D; std: tf.Tensor1D } {
  return tf.tidy(() => {
    const { mean, variance } = tf.moments(tf.tensor2d(features, [isAd.length, width]), 0);
    return { mean: mean as tf.Tensor1D, std: tf.sqrt(variance.add(1e-4)) as tf.Tensor1D };
  });
}

/** w' = w / (s T), b' = (b - Σ w m / s) / T, transposed to [2, width] as TFLite lays it out. */
function foldStandardisation(
  kernel: Float32Array,
  bias: Float32Array,
  mean: Float32Array,
  std: Float32Array,
  temperature: number,
): { kernel: Float32Array; bias: Float32Array } {
  const width = mean.length;
  const folded = new Float32Array(width * 2);
  const shifted = Float32Array.from(bias);
  for (let i = 0; i < width; i++) {
    for (let c = 0; c < 2; c++) {
      const weight = (kernel[i * 2 + c] ?? 0) / (std[i] ?? 1);
      folded[c * width + i] = weight / temperature;
      shifted[c] = (shifted[c] ?? 0) - weight * (mean[i] ?? 0);
    }
  }
  return { kernel: folded, bias: shifted.map((value) => value / temperature) };
}

/** The T that minimises the negative log likelihood of softmax(logits / T), by golden-section search on ln T. */
export function fitTemperature(logits: Float32Array, isAd: readonly boolean[]): number {
  const loss = (t: number) =>
    isAd.reduce((sum, ad, i) => {
      const margin = (((logits[i * 2 + 1] ?? 0) - (logits[i * 2] ?? 0)) / t) * (ad ? 1 : -1);
      return sum + (margin > 0 ? Math.log1p(Math.exp(-margin)) : -margin + Math.log1p(Math.exp(margin)));
    }, 0);
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.25), Math.log(8)];
  while (high - low > 1e-3) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (loss(Math.exp(a)) < loss(Math.exp(b))) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}
