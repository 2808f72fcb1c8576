import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Constant } from '../nn/graph.js';
import type { WeightSource } from '../nn/layers.js';
import type { WeightTensor } from './tensors.js';

type Kind = 'conv' | 'depthwise' | 'norm' | 'dense';
interface KerasLayer {
  readonly name: string;
  readonly kind: Kind;
  readonly roles: Map<string, WeightTensor>;
}

/**
 * Keras names its layers as its user pleases, so layers are taken in the file's order, each kind for itself, and every
 * shape is checked: the n-th convolution of the network is the n-th of the file. Kernels are HWIO, depthwise ones HWC1.
 */
export function kerasSource(tensors: ReadonlyMap<string, WeightTensor>): WeightSource {
  const layers = layersOf(tensors);
  const left: Record<Kind, KerasLayer[]> = { conv: [], depthwise: [], norm: [], dense: [] };
  for (const layer of layers) left[layer.kind].push(layer);
  // bias() asks for the layer whose kernel was taken last.
  let current: KerasLayer | undefined;
  const next = (kind: Kind, wanted: string): KerasLayer => {
    current = left[kind].shift();
    if (current === undefined)
      throw new AdbreakError(
        'input_invalid',
        `Cannot use the weights: the file has no further ${kind} layer for ${wanted}`,
      );
    return current;
  };
  const need = (layer: KerasLayer, role: string, shape: readonly number[], wanted: string): Float32Array => {
    const tensor = layer.roles.get(role);
    if (tensor === undefined)
      throw new AdbreakError(
        'input_invalid',
        `Cannot use the weights: tensor ${layer.name}/${role} is missing (for ${wanted})`,
      );
    if (tensor.shape.join() !== shape.join()) {
      throw new AdbreakError(
        'input_invalid',
        `Cannot use the weights: tensor ${layer.name}/${role} must have shape [${shape.join()}] for ${wanted}: current value is [${tensor.shape.join()}]`,
      );
    }
    return tensor.data;
  };
  return {
    conv: (wanted, [out, kh, kw, cin]): Constant => ({
      shape: [out, kh, kw, cin],
      data: transpose(need(next('conv', wanted), 'kernel', [kh, kw, cin, out], wanted), kh * kw * cin, out),
    }),
    depthwise: (wanted, [, kh, kw, channels]) => ({
      shape: [1, kh, kw, channels],
      data: need(next('depthwise', wanted), 'kernel', [kh, kw, channels, 1], wanted),
    }),
    bias: (wanted, channels) => {
      if (current === undefined)
        throw new AdbreakError('input_invalid', `Cannot use the weights: ${wanted} has no layer`);
      return need(current, 'bias', [channels], wanted);
    },
    batchNorm: (wanted, channels, epsilon) => {
      const layer = next('norm', wanted);
      return {
        // Keras leaves out a gamma or beta that is switched off.
        gamma: layer.roles.has('gamma')
          ? need(layer, 'gamma', [channels], wanted)
          : new Float32Array(channels).fill(1),
        beta: layer.roles.has('beta') ? need(layer, 'beta', [channels], wanted) : new Float32Array(channels),
        mean: need(layer, 'moving_mean', [channels], wanted),
        variance: need(layer, 'moving_variance', [channels], wanted),
        epsilon,
      };
    },
    dense: (wanted, [out, cin]) => {
      // A classifier is a dense layer or a 1x1 convolution.
      if (left.dense.length > 0)
        return {
          shape: [out, cin],
          data: transpose(need(next('dense', wanted), 'kernel', [cin, out], wanted), cin, out),
        };
      return {
        shape: [out, cin],
        data: transpose(need(next('conv', wanted), 'kernel', [1, 1, cin, out], wanted), cin, out),
      };
    },
    classes: () => {
      const dense = layers.findLast(({ kind }) => kind === 'dense');
      if (dense !== undefined) return dense.roles.get('kernel')?.shape[1] ?? null;
      const last = layers.findLast(({ kind }) => kind === 'conv');
      // The last convolution of a network without classifier is normalized and has no bias.
      return last?.roles.has('bias') === true ? (last.roles.get('kernel')?.shape[3] ?? null) : null;
    },
  };
}

function layersOf(tensors: ReadonlyMap<string, WeightTensor>): KerasLayer[] {
  const layers = new Map<string, Map<string, WeightTensor>>();
  for (const [path, tensor] of tensors) {
    const at = path.lastIndexOf('/');
    const name = path.slice(0, at);
    const roles = layers.get(name) ?? new Map<string, WeightTensor>();
    layers.set(name, roles.set(path.slice(at + 1).replace('depthwise_kernel', 'kernel'), tensor));
  }
  return [...layers].map(([name, roles]) => ({ name, kind: kindOf(roles), roles }));
}

function kindOf(roles: ReadonlyMap<string, WeightTensor>): Kind {
  const kernel = roles.get('kernel');
  if (kernel === undefined) return 'norm';
  if (kernel.shape.length === 2) return 'dense';
  return kernel.shape[3] === 1 ? 'depthwise' : 'conv';
}

/** [rows, columns] -> [columns, rows] */
function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = data[row * columns + column] ?? 0;
  return result;
}
