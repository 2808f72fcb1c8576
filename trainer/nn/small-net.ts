import type { Random } from '@adbreak/shared/random.js';
import type { Constant, Graph, Node } from './graph.js';

/**
 * The network for a machine that cannot fetch pretrained weights: patches of 16x16 (a convolution whose stride is its
 * kernel), then 2x2 patches of those, each with a 1x1 mixing layer. Such convolutions are matrix products over
 * rearranged pixels, so they train on any backend (tfjs's wasm has no gradient for other filters).
 */
export const SMALL_NET = {
  features: 96,
  layers: [
    { name: 'patch', patch: 16, out: 48 },
    { name: 'mix1', patch: 1, out: 64 },
    { name: 'merge', patch: 2, out: 96 },
    { name: 'mix2', patch: 1, out: 96 },
  ],
} as const;

export interface SmallLayer {
  readonly name: string;
  readonly patch: number;
  readonly kernel: Constant;
  readonly bias: Float32Array;
}

/** He-initialised layers, kernels OHWI. */
export function initialLayers(random: Random): SmallLayer[] {
  let channels = 3;
  return SMALL_NET.layers.map(({ name, patch, out }) => {
    const fanIn = patch * patch * channels;
    const shape = [out, patch, patch, channels];
    channels = out;
    const data = Float32Array.from({ length: out * fanIn }, () => random.normal() * Math.sqrt(2 / fanIn));
    return { name, patch, kernel: { shape, data }, bias: new Float32Array(out) };
  });
}

/** The same layers as a graph from [1, height, width, 3] to features [1, 96]; both sides are 32 at least. */
export function smallNet(
  layers: readonly SmallLayer[],
  [height, width]: readonly [height: number, width: number] = [224, 224],
): Graph {
  const nodes: Node[] = [{ op: 'input', name: 'image', shape: [1, height, width, 3] }];
  let last = 'image';
  for (const { name, patch, kernel, bias } of layers) {
    nodes.push({
      op: 'conv2d',
      name,
      input: last,
      stride: patch,
      padding: 'valid',
      activation: 'relu6',
      kernel,
      bias,
      batchNorm: null,
    });
    last = name;
  }
  nodes.push({ op: 'mean', name: 'features', input: last, keepDims: false });
  return { name: 'small_net', nodes };
}
