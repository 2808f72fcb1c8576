import { channelsOf, type FilteredNode, type Graph, isFiltered } from '../../nn/graph.js';

/** Batch normalization folded into kernel and bias: w' = w*g/sqrt(v+e), b' = (b-m)*g/sqrt(v+e) + beta. Every bias is present afterwards. */
export function foldBatchNorm(graph: Graph): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => (isFiltered(node) ? fold(node) : node)) };
}

function fold(node: FilteredNode): FilteredNode {
  const { batchNorm, kernel } = node;
  const { count } = channelsOf(node);
  if (batchNorm === null) return node.bias === null ? { ...node, bias: new Float32Array(count) } : node;
  const factor = new Float64Array(count);
  const bias = new Float32Array(count);
  for (let c = 0; c < count; c++) {
    factor[c] = (batchNorm.gamma[c] ?? 0) / Math.sqrt((batchNorm.variance[c] ?? 0) + batchNorm.epsilon);
    bias[c] =
      ((node.bias?.[c] ?? 0) - (batchNorm.mean[c] ?? 0)) * (factor[c] ?? 0) + (batchNorm.beta[c] ?? 0);
  }
  return { ...node, kernel: { shape: kernel.shape, data: scaled(node, factor) }, bias, batchNorm: null };
}

/** The kernel with every output channel multiplied by its factor. */
export function scaled(node: FilteredNode, factor: ArrayLike<number>): Float32Array {
  const { data } = node.kernel;
  const { count } = channelsOf(node);
  const result = new Float32Array(data.length);
  const perChannel = data.length / count;
  // Two plain loops: a function call per weight takes ten times as long.
  if (node.op === 'depthwise')
    for (let i = 0; i < data.length; i++) result[i] = (data[i] ?? 0) * (factor[i % count] ?? 0);
  else
    for (let c = 0, i = 0; c < count; c++) {
      const by = factor[c] ?? 0;
      for (const end = i + perChannel; i < end; i++) result[i] = (data[i] ?? 0) * by;
    }
  return result;
}
