import { AdbreakError } from '@adbreak/shared/errors.js';
import { type FilteredNode, type Graph, isFiltered } from './graph.js';

/**
 * Every number of a graph that training may change, in the order of its nodes: of each its kernel, bias,
 * batch normalization.
 */
export function numbersOf(graph: Graph): Float32Array {
  const parts = graph.nodes.filter(isFiltered).flatMap(partsOf);
  const numbers = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    numbers.set(part, at);
    at += part.length;
  }
  return numbers;
}

/** The same graph with other numbers. Throws `model_corrupt` where they are not as many. */
export function withNumbers(graph: Graph, numbers: Float32Array): Graph {
  let at = 0;
  const take = (like: Float32Array) => {
    at += like.length;
    return numbers.slice(at - like.length, at);
  };
  const nodes = graph.nodes.map((node) => (isFiltered(node) ? refilled(node, take) : node));
  if (at !== numbers.length)
    throw new AdbreakError(
      'model_corrupt',
      `Cannot build ${graph.name}: it has ${at} numbers: current value is ${numbers.length}`,
    );
  return { ...graph, nodes };
}

function partsOf({ kernel, bias, batchNorm }: FilteredNode): Float32Array[] {
  return [
    kernel.data,
    ...(bias === null ? [] : [bias]),
    ...(batchNorm === null ? [] : [batchNorm.gamma, batchNorm.beta, batchNorm.mean, batchNorm.variance]),
  ];
}

function refilled(node: FilteredNode, take: (like: Float32Array) => Float32Array): FilteredNode {
  const { kernel, bias, batchNorm } = node;
  return {
    ...node,
    kernel: { shape: kernel.shape, data: take(kernel.data) },
    bias: bias === null ? null : take(bias),
    batchNorm:
      batchNorm === null
        ? null
        : {
            ...batchNorm,
            gamma: take(batchNorm.gamma),
            beta: take(batchNorm.beta),
            mean: take(batchNorm.mean),
            variance: take(batchNorm.variance),
          },
  };
}
