import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Random } from '@adbreak/shared/random.js';
import type { WeightSource } from '../nn/efficientnet-lite0.js';
import type { WeightTensor } from './torch-legacy.js';

const EPSILON = 1e-3;

/** EfficientNet-Lite0's pretrained values under their torch names; kernels go from OIHW to OHWI. */
export function pretrainedSource(weights: ReadonlyMap<string, WeightTensor>): WeightSource {
  const need = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new AdbreakError('input_invalid', `Cannot use the weights: tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      throw new AdbreakError(
        'input_invalid',
        `Cannot use the weights: tensor ${name} must have shape [${shape.join()}]: current value is [${tensor.shape.join()}]`,
      );
    }
    return tensor.data;
  };
  return {
    conv: (name, [out, kh, kw, cin]) => ({ shape: [out, kh, kw, cin], data: permuteOihw(need(`${name}.weight`, [out, cin, kh, kw]), out, cin, kh * kw) }),
    // [C, 1, kh, kw] -> [1, kh, kw, C]
    depthwise: (name, [, kh, kw, channels]) => ({
      shape: [1, kh, kw, channels],
      data: permuteOihw(need(`${name}.weight`, [channels, 1, kh, kw]), 1, channels, kh * kw),
    }),
    batchNorm: (name, channels) => ({
      gamma: need(`${name}.weight`, [channels]),
      beta: need(`${name}.bias`, [channels]),
      mean: need(`${name}.running_mean`, [channels]),
      variance: need(`${name}.running_var`, [channels]),
      epsilon: EPSILON,
    }),
  };
}

/** [outer, inner, area] -> [outer, area, inner] */
function permuteOihw(data: Float32Array, outer: number, inner: number, area: number): Float32Array {
  const permuted = new Float32Array(data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let a = 0; a < area; a++) permuted[(o * area + a) * inner + i] = data[(o * inner + i) * area + a] ?? 0;
    }
  }
  return permuted;
}

/** Values for measuring speed without the pretrained file: same shapes, He-initialised, identity normalization. */
export function randomSource(random: Random): WeightSource {
  const kernel = (shape: readonly number[], fanIn: number) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal() * Math.sqrt(2 / fanIn)),
  });
  return {
    conv: (_, shape) => kernel(shape, shape[1] * shape[2] * shape[3]),
    depthwise: (_, shape) => kernel(shape, shape[1] * shape[2]),
    batchNorm: (_, channels) => ({
      gamma: new Float32Array(channels).fill(1),
      beta: new Float32Array(channels),
      mean: new Float32Array(channels),
      variance: new Float32Array(channels).fill(1),
      epsilon: EPSILON,
    }),
  };
}
