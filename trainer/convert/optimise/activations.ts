import {
  type Activation,
  consumersOf,
  type Graph,
  isFiltered,
  type Node,
  withInputs,
} from '../../nn/graph.js';

const THREE = 'constants/3';
const SIXTH = 'constants/sixth';
const scalar = (name: string, value: number): Node => ({
  op: 'constant',
  name,
  value: { shape: [1], data: Float32Array.of(value) },
});

/** Stand-alone relu and relu6 become the activation of the operator before them: XNNPACK takes only fused ones in int8. */
export function fuseActivations(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const fused = new Map<string, Activation>();
  const replaced = new Map<string, string>();
  for (const node of graph.nodes) {
    if (node.op !== 'relu' && node.op !== 'relu6') continue;
    const producer = graph.nodes.find(({ name }) => name === node.input);
    if (
      producer === undefined ||
      !('activation' in producer) ||
      producer.activation !== 'none' ||
      consumers.get(producer.name)?.length !== 1
    )
      continue;
    fused.set(producer.name, node.op);
    replaced.set(node.name, producer.name);
  }
  return {
    ...graph,
    nodes: graph.nodes
      .filter(({ name }) => !replaced.has(name))
      .map((node) => {
        const activation = fused.get(node.name);
        const renamed = withInputs(node, (name) => replaced.get(name) ?? name);
        return activation !== undefined && 'activation' in renamed ? { ...renamed, activation } : renamed;
      }),
  };
}

/**
 * hard_swish and hard_sigmoid in operators that XNNPACK takes in int8: relu6(x + 3), times x, times 1/6. As single
 * operators they cut the graph into pieces of which each is copied in and out (docs/tflite.md, "Hard swish").
 */
export function lowerHardActivations(graph: Graph, keep: { readonly hardSwish: boolean }): Graph {
  let used = false;
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'hardSigmoid' && (node.op !== 'hardSwish' || keep.hardSwish)) return [node];
    used = true;
    const gate: Node = {
      op: 'add',
      name: `${node.name}/gate`,
      inputs: [node.input, THREE],
      activation: 'relu6',
    };
    if (node.op === 'hardSigmoid')
      return [gate, { op: 'mul', name: node.name, inputs: [gate.name, SIXTH], activation: 'none' }];
    const gated: Node = {
      op: 'mul',
      name: `${node.name}/gated`,
      inputs: [node.input, gate.name],
      activation: 'none',
    };
    return [gate, gated, { op: 'mul', name: node.name, inputs: [gated.name, SIXTH], activation: 'none' }];
  });
  if (!used) return graph;
  const firstComputed = nodes.findIndex(({ op }) => op !== 'input');
  return { ...graph, nodes: nodes.toSpliced(firstComputed, 0, scalar(THREE, 3), scalar(SIXTH, 1 / 6)) };
}

/** conv(x) + constant, read by nothing else, becomes the convolution's bias: the excitation of squeeze-and-excite needs no addition. */
export function foldAddedConstants(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  const merged = new Map<string, { into: string; value: number; activation: Activation }>();
  for (const node of graph.nodes) {
    if (node.op !== 'add') continue;
    const [producer, constant] = node.inputs.map((name) => byName.get(name));
    if (producer === undefined || constant?.op !== 'constant' || constant.value.data.length !== 1) continue;
    if (!isFiltered(producer) || producer.activation !== 'none' || consumers.get(producer.name)?.length !== 1)
      continue;
    merged.set(node.name, {
      into: producer.name,
      value: constant.value.data[0] ?? 0,
      activation: node.activation,
    });
  }
  const additions = new Map([...merged.values()].map((merge) => [merge.into, merge]));
  return {
    ...graph,
    nodes: graph.nodes
      .filter(({ name }) => !merged.has(name))
      .map((node) => withInputs(node, (name) => merged.get(name)?.into ?? name))
      .map((node) => {
        const addition = additions.get(node.name);
        if (addition === undefined || !isFiltered(node)) return node;
        const bias = (node.bias ?? new Float32Array(0)).map((value) => value + addition.value);
        return { ...node, bias, activation: addition.activation };
      }),
  };
}
