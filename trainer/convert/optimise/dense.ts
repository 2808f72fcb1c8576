import { consumersOf, type Graph, inferShapes, type Node } from '../../nn/graph.js';

/**
 * Dense layers as 1x1 convolutions: the same product, but with one scale per class. Per-channel FULLY_CONNECTED loads
 * in TFLite 2.9 and answers garbage (docs/tflite.md, "What bites").
 */
export function denseToConvolution(graph: Graph): Graph {
  const shapes = inferShapes(graph);
  const consumers = consumersOf(graph);
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  const nodes: Node[] = [];
  const dropped = new Set<string>();
  const widened = new Set<string>();
  for (const node of graph.nodes) {
    if (node.op !== 'dense') {
      nodes.push(node);
      continue;
    }
    const [out = 0, width = 0] = node.kernel.shape;
    const producer = byName.get(node.input);
    const alone = consumers.get(node.input)?.length === 1;
    let input = `${node.name}/square`;
    if (alone && producer?.op === 'mean') {
      widened.add(producer.name);
      input = producer.name;
    } else if (
      alone &&
      producer?.op === 'reshape' &&
      shapes.get(producer.input)?.join() === `1,1,1,${width}`
    ) {
      dropped.add(producer.name);
      input = producer.input;
    } else nodes.push({ op: 'reshape', name: input, input: node.input, shape: [1, 1, 1, width] });
    const conv = `${node.name}/conv`;
    const kernel = { shape: [out, 1, 1, width], data: node.kernel.data };
    nodes.push({ ...node, op: 'conv2d', name: conv, input, kernel, stride: 1, padding: 'valid' });
    nodes.push({ op: 'reshape', name: node.name, input: conv, shape: [1, out] });
  }
  return {
    ...graph,
    nodes: nodes
      .filter(({ name }) => !dropped.has(name))
      .map((node) => (node.op === 'mean' && widened.has(node.name) ? { ...node, keepDims: true } : node)),
  };
}
