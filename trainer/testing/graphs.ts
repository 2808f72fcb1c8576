import { seeded } from '@adbreak/shared/random.js';
import type { Graph, Node } from '../nn/graph.js';

/** Side of the pictures that these graphs take. */
export const SIZE = 9;
const random = seeded('graphs');
export const values = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, () => random.normal() * scale);
const norm = (channels: number) => ({
  gamma: values(channels).map((v) => 1 + 0.1 * v),
  beta: values(channels, 0.1),
  mean: values(channels, 0.1),
  variance: values(channels).map((v) => 0.5 + v * v),
  epsilon: 1e-3,
});
export const conv = (
  name: string,
  input: string,
  [cin, cout]: [number, number],
  kernel: number,
  further: Partial<Extract<Node, { op: 'conv2d' }>> = {},
): Node => ({
  op: 'conv2d',
  name,
  input,
  stride: 1,
  padding: 'same',
  activation: 'none',
  kernel: { shape: [cout, kernel, kernel, cin], data: values(cout * kernel * kernel * cin, 0.6 / kernel) },
  bias: values(cout, 0.1),
  batchNorm: null,
  ...further,
});

/** Every operator there is, small enough to be computed naively; other weights at each call. */
export function everything(): Graph {
  return {
    name: 'everything',
    nodes: [
      { op: 'input', name: 'image', shape: [1, SIZE, SIZE, 3] },
      conv('stem', 'image', [3, 8], 3, { stride: 2, activation: 'relu6', bias: null, batchNorm: norm(8) }),
      {
        op: 'depthwise',
        name: 'depthwise',
        input: 'stem',
        stride: 1,
        padding: 'same',
        activation: 'none',
        kernel: { shape: [1, 3, 3, 8], data: values(72, 0.4) },
        bias: values(8, 0.1),
        batchNorm: norm(8),
      },
      { op: 'hardSwish', name: 'swish', input: 'depthwise' },
      { op: 'mean', name: 'squeeze', input: 'swish', keepDims: true },
      conv('reduce', 'squeeze', [8, 4], 1),
      { op: 'relu', name: 'reduced', input: 'reduce' },
      conv('expand', 'reduced', [4, 8], 1),
      { op: 'hardSigmoid', name: 'excite', input: 'expand' },
      { op: 'mul', name: 'excited', inputs: ['swish', 'excite'], activation: 'none' },
      { op: 'pad', name: 'padded', input: 'excited', around: [1, 1, 1, 1] },
      conv('valid', 'padded', [8, 8], 3, { padding: 'valid' }),
      { op: 'add', name: 'sum', inputs: ['valid', 'stem'], activation: 'none' },
      { op: 'relu6', name: 'clipped', input: 'sum' },
      { op: 'maxPool', name: 'largest', input: 'clipped', size: 2, stride: 2, padding: 'same' },
      { op: 'averagePool', name: 'average', input: 'largest', size: 2, stride: 1, padding: 'same' },
      conv('gate', 'average', [8, 8], 1),
      { op: 'logistic', name: 'gated', input: 'gate' },
      { op: 'mul', name: 'mixed', inputs: ['average', 'gated'], activation: 'none' },
      { op: 'mean', name: 'features', input: 'mixed', keepDims: false },
      {
        op: 'dense',
        name: 'logits',
        input: 'features',
        kernel: { shape: [4, 8], data: values(32) },
        bias: values(4),
        batchNorm: null,
        activation: 'none',
      },
      { op: 'softmax', name: 'probabilities', input: 'logits' },
    ],
  };
}
