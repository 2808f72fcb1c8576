import * as tf from '@tensorflow/tfjs-core';
import { type FilteredNode, type Graph, isFiltered } from '../../nn/graph.js';
import type { LayerTensors } from './forward.js';

type Part = 'kernel' | 'bias' | 'gamma' | 'beta' | 'mean' | 'variance';
/** Where a part of a layer lies in `numbersOf` its graph. */
export interface Slot {
  readonly layer: string;
  readonly part: Part;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** All slots of a graph, in the order of its numbers. */
export function slotsOf(graph: Graph): Slot[] {
  let from = 0;
  return graph.nodes
    .filter(isFiltered)
    .flatMap((node) => partsOf(node).map(([part, shape]) => ({ layer: node.name, part, shape })))
    .map((slot) => {
      const to = from + slot.shape.reduce((product, size) => product * size, 1);
      const placed = { ...slot, from, to };
      from = to;
      return placed;
    });
}

/** Statistics are counted, everything else is learnt. */
export function isLearnt({ part }: Slot): boolean {
  return part !== 'mean' && part !== 'variance';
}

/** The numbers of slots as tensors. */
export function tensorsOf(slots: readonly Slot[], values: Float32Array): tf.Tensor[] {
  return slots.map(({ shape, from, to }) => tf.tensor(values.slice(from, to), [...shape]));
}

/** The tensors by layer, as the forward pass wants them. */
export function layersOf(
  slots: readonly Slot[],
  tensors: readonly tf.Tensor[],
): ReadonlyMap<string, LayerTensors> {
  const layers = new Map<string, Partial<Record<Part, tf.Tensor>>>();
  slots.forEach(({ layer, part }, i) => {
    layers.set(layer, { ...layers.get(layer), [part]: tensors[i] });
  });
  return new Map(
    [...layers].map(([name, { kernel = tf.scalar(0), bias, gamma, beta }]) => [
      name,
      {
        kernel,
        bias: (bias as tf.Tensor1D | undefined) ?? null,
        gamma: (gamma as tf.Tensor1D | undefined) ?? null,
        beta: (beta as tf.Tensor1D | undefined) ?? null,
      },
    ]),
  );
}

function partsOf({ kernel, bias, batchNorm }: FilteredNode): [Part, readonly number[]][] {
  const channels = batchNorm === null ? [] : [batchNorm.gamma.length];
  return [
    ['kernel', kernel.shape],
    ...(bias === null ? [] : [['bias', [bias.length]] satisfies [Part, number[]]]),
    ...(batchNorm === null
      ? []
      : (['gamma', 'beta', 'mean', 'variance'] as const).map((part): [Part, number[]] => [part, channels])),
  ];
}
