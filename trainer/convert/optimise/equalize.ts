import {
  channelsOf,
  consumersOf,
  type FilteredNode,
  type Graph,
  isFiltered,
  type Node,
} from '../../nn/graph.js';
import { scaled } from './fold.js';

const ROUNDS = 20;

/**
 * Cross-layer equalization (Nagel et al. 2019, section 4.1): where one filter feeds one other through nothing or a
 * relu, channel c of the first is divided by s_c and the second's input c multiplied by it, s_c = sqrt(r1 * r2) / r2.
 * The function stays; kernels get channels of like size. Not through relu6, whose 6 does not scale.
 */
export function equalize(graph: Graph): { graph: Graph; pairs: number } {
  const nodes = new Map<string, Node>(graph.nodes.map((node) => [node.name, node]));
  const consumers = consumersOf(graph);
  const pairs: [string, string][] = [];
  for (const node of graph.nodes) {
    const [next, ...others] = consumers.get(node.name) ?? [];
    if (
      !isFiltered(node) ||
      node.activation === 'relu6' ||
      next === undefined ||
      others.length > 0 ||
      !isFiltered(next)
    )
      continue;
    pairs.push([node.name, next.name]);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [first, second] of pairs) {
      const [a, b] = [nodes.get(first), nodes.get(second)];
      if (a === undefined || b === undefined || !isFiltered(a) || !isFiltered(b)) continue;
      const [x, y] = balance(a, b);
      nodes.set(first, x);
      nodes.set(second, y);
    }
  }
  return {
    graph: { ...graph, nodes: graph.nodes.map((node) => nodes.get(node.name) ?? node) },
    pairs: pairs.length,
  };
}

function balance(a: FilteredNode, b: FilteredNode): [FilteredNode, FilteredNode] {
  const { count } = channelsOf(a);
  const [outputs, inputs] = [magnitudes(a, outputChannel(a)), magnitudes(b, inputChannel(b))];
  const factor = new Float64Array(count);
  for (let c = 0; c < count; c++) {
    const [r1, r2] = [outputs[c] ?? 0, inputs[c] ?? 0];
    // A dead channel stays as it is; 1e4 keeps biases inside int32.
    const s = r1 > 0 && r2 > 0 ? Math.sqrt(r1 * r2) / r2 : 1;
    factor[c] = Math.min(1e4, Math.max(1e-4, s));
  }
  const inverse = factor.map((s) => 1 / s);
  const of = inputChannel(b);
  const data = new Float32Array(b.kernel.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (b.kernel.data[i] ?? 0) * (factor[of(i)] ?? 1);
  return [
    {
      ...a,
      kernel: { shape: a.kernel.shape, data: scaled(a, inverse) },
      bias: a.bias?.map((value, c) => value * (inverse[c] ?? 1)) ?? null,
    },
    { ...b, kernel: { shape: b.kernel.shape, data } },
  ];
}

function outputChannel(node: FilteredNode): (element: number) => number {
  return channelsOf(node).of;
}
function inputChannel(node: FilteredNode): (element: number) => number {
  const inputs = node.kernel.shape.at(-1) ?? 1;
  return (i) => i % inputs;
}
function magnitudes(node: FilteredNode, channel: (element: number) => number): Float64Array {
  const largest = new Float64Array(
    node.op === 'depthwise' ? (node.kernel.shape[3] ?? 0) : Math.max(...node.kernel.shape),
  );
  node.kernel.data.forEach((weight, i) => {
    const c = channel(i);
    largest[c] = Math.max(largest[c] ?? 0, Math.abs(weight));
  });
  return largest;
}
