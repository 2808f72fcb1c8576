import { type FilteredNode, type Graph, isFiltered } from '../nn/graph.js';
import type { Observation } from './calibrate.js';
import { biasOf } from './emit.js';
import { kernelScales, quantizeKernel } from './weights.js';

/**
 * Bias correction (Nagel et al. 2019, section 4.2): rounding a kernel moves a channel's mean by sum((Wq - W) * E[x]),
 * with E[x] the mean of the kernel's input over the calibration set. That much is taken off the bias. Graph inputs have
 * no observation and are left alone.
 */
export function correctBias(graph: Graph, observations: ReadonlyMap<string, Observation>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const means = isFiltered(node) ? observations.get(node.input)?.channelMeans : undefined;
      return means !== undefined && isFiltered(node) ? corrected(node, means) : node;
    }),
  };
}

function corrected(node: FilteredNode, inputMeans: Float64Array): FilteredNode {
  const scales = kernelScales(node, null);
  const quantized = quantizeKernel(node, scales);
  const inputs = node.kernel.shape.at(-1) ?? 1;
  const channels = scales.length;
  const perChannel = node.kernel.data.length / channels;
  const shift = new Float64Array(channels);
  for (let i = 0; i < quantized.length; i++) {
    const channel = node.op === 'depthwise' ? i % channels : Math.floor(i / perChannel);
    const error = (quantized[i] ?? 0) * (scales[channel] ?? 0) - (node.kernel.data[i] ?? 0);
    shift[channel] = (shift[channel] ?? 0) + error * (inputMeans[i % inputs] ?? 0);
  }
  return { ...node, bias: biasOf(node).map((value, c) => value - (shift[c] ?? 0)) };
}
