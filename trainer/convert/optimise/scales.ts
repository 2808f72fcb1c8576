import { consumersOf, type Graph, isFiltered, type Node, withInputs } from '../../nn/graph.js';

/**
 * Multiplications by a positive number move forward through whatever is linear until kernels take them up, and are
 * gone: a hard_swish costs an addition and a multiplication instead of three operators, and one rounding less.
 * Those that meet something that is not linear stay. What lies between has other values now and is called NAME/x6 where it is six times what it was.
 */
export function absorbScales(graph: Graph): Graph {
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  const consumers = consumersOf(graph);
  const output = graph.nodes.at(-1)?.name;
  const factors = new Map<string, number>();
  const removed = new Map<string, string>();
  const scaled = new Map<string, number>();
  for (const node of graph.nodes) {
    const scale = scaleOf(node, byName);
    if (scale === null || node.name === output) continue;
    const takers = linearConsumers(node.name, consumers, output);
    if (takers === null) continue;
    for (const name of takers.through) scaled.set(name, (scaled.get(name) ?? 1) / scale.factor);
    for (const taker of takers.kernels) factors.set(taker, (factors.get(taker) ?? 1) * scale.factor);
    removed.set(node.name, scale.of);
  }
  const renamed = (name: string) => {
    const times = scaled.get(name);
    return times === undefined ? name : `${name}/x${Number(times.toPrecision(4))}`;
  };
  const kept = graph.nodes
    .filter(({ name }) => !removed.has(name))
    .map((node) => withInputs(node, (name) => renamed(removed.get(name) ?? name)))
    .map((node) => multiplied(node, factors.get(node.name)))
    .map((node) => ({ ...node, name: renamed(node.name) }));
  return dropUnread({ ...graph, nodes: kept });
}

function scaleOf(node: Node, byName: ReadonlyMap<string, Node>): { of: string; factor: number } | null {
  if (node.op !== 'mul' || node.activation !== 'none') return null;
  const [of, by] = node.inputs;
  const constant = byName.get(by);
  if (constant?.op !== 'constant' || constant.value.data.length !== 1) return null;
  const factor = constant.value.data[0] ?? 0;
  return factor > 0 ? { of, factor } : null;
}

interface Takers {
  /** Filtered nodes that together see all of the tensor, each as often as the factor reaches it. */
  readonly kernels: string[];
  /** What the factor passes on its way. */
  readonly through: string[];
}

/** Null where something that is not linear reads the tensor, or the graph ends with it. */
function linearConsumers(
  name: string,
  consumers: ReadonlyMap<string, readonly Node[]>,
  output: string | undefined,
): Takers | null {
  if (name === output) return null;
  const takers: Takers = { kernels: [], through: [] };
  for (const consumer of consumers.get(name) ?? []) {
    if (isFiltered(consumer)) {
      takers.kernels.push(consumer.name);
      continue;
    }
    if (!passesFactor(consumer)) return null;
    const further = linearConsumers(consumer.name, consumers, output);
    if (further === null) return null;
    takers.kernels.push(...further.kernels);
    takers.through.push(consumer.name, ...further.through);
  }
  return takers;
}

function passesFactor(node: Node): boolean {
  switch (node.op) {
    case 'mul':
      return node.activation !== 'relu6';
    case 'averagePool':
    case 'maxPool':
    case 'mean':
    case 'reshape':
    case 'pad':
    case 'relu':
      return true;
    case 'input':
    case 'constant':
    case 'conv2d':
    case 'depthwise':
    case 'dense':
    case 'add':
    case 'relu6':
    case 'hardSwish':
    case 'hardSigmoid':
    case 'logistic':
    case 'softmax':
      return false;
  }
}

function multiplied(node: Node, factor: number | undefined): Node {
  if (factor === undefined || !isFiltered(node)) return node;
  const data = new Float32Array(node.kernel.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (node.kernel.data[i] ?? 0) * factor;
  return { ...node, kernel: { shape: node.kernel.shape, data } };
}

/** Constants that nothing reads any more. */
function dropUnread(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  return {
    ...graph,
    nodes: graph.nodes.filter(
      (node) => node.op !== 'constant' || (consumers.get(node.name)?.length ?? 0) > 0,
    ),
  };
}
