import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Quantization, TfliteModel } from '@adbreak/shared/tflite/schema.js';
import { channelsOf, type FilteredNode, type Graph, isFiltered, type Node } from '../nn/graph.js';
import type { Assembler } from './assembler.js';
import { type Boundary, biasOf, type Emitter, emit } from './emit.js';
import { kernelScales, quantizeBias, quantizeKernel } from './weights.js';

/** Values that an activation takes: real numbers. */
export interface Range {
  readonly min: number;
  readonly max: number;
}
/** real = (q - zeroPoint) * scale */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}
/** The network sees (pixel - mean) / std. */
export interface Normalization {
  readonly mean: number;
  readonly std: number;
}
export type IoType = 'int8' | 'uint8' | 'float32';

const SMALLEST_RANGE = 5e-7;
/** XNNPACK refuses s_in * s_w / s_out, s_i / s_o of ADD and s1 * s2 / s_o of MUL from 2^8 on, and with them the whole model. */
const LARGEST_RATIO = 255;

export interface QuantizeOptions {
  readonly normalization: Normalization;
  readonly input?: IoType;
  readonly output?: IoType;
}

/**
 * Full INT8 after the TFLite 8-bit quantization specification: per-channel symmetric kernels, asymmetric activations,
 * int32 bias at s_in * s_w, the fixed or shared scales that softmax, logistic, pad, pooling and reshape prescribe. The
 * pixels' normalisation is folded into the input: as int8 it is pixel - 128, as uint8 the pixel.
 */
export function quantizeInt8(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  options: QuantizeOptions,
): TfliteModel {
  const { input = 'int8', output = 'int8', normalization } = options;
  const { affine, offset } = pixelAffine(normalization);
  // A float caller gives what the network sees and not pixels: then there is no half step to make up for.
  const shifted = input === 'float32' ? graph : shiftInput(graph, offset);
  const affines = chooseAffines(shifted, ranges, affine);
  const need = (name: string): Affine => {
    const found = affines.get(name);
    if (found === undefined)
      throw new AdbreakError('training_failed', `Cannot quantize ${graph.name}: ${name} was not calibrated`);
    return found;
  };
  const emitter: Emitter = {
    type: 'int8',
    version: (node) => int8Version(node, need),
    quantizationOf: (node) => perTensor(need(node.name)),
    constant: (assembler, node) => {
      const { scale, zeroPoint } = need(node.name);
      const values = Int8Array.from(node.value.data, (value) => Math.round(value / scale) + zeroPoint);
      return assembler.constant(node.name, node.value.shape, 'int8', values, perTensor({ scale, zeroPoint }));
    },
    filters: (assembler, node) => quantizedFilters(assembler, node, need(node.input).scale),
  };
  const last = need(graph.nodes.at(-1)?.name ?? '');
  return emit(shifted, emitter, {
    boundary: { input: boundaryType(input, affine), output: boundaryType(output, last) },
  });
}

function boundaryType(type: IoType, { scale, zeroPoint }: Affine): Boundary['input'] {
  if (type === 'float32') return { type, quantization: null };
  return {
    type,
    quantization: perTensor({ scale, zeroPoint: type === 'uint8' ? zeroPoint + 128 : zeroPoint }),
  };
}

/**
 * int8 input for pixels 0..255 of a network that sees (x - mean) / std: q = x - 128, so real = (q - zp) / std + offset.
 * Where the mean is no whole number (127.5) the zero point cannot be exact: `offset` is what it leaves over.
 */
export function pixelAffine({ mean, std }: Normalization): { affine: Affine; offset: number } {
  const zeroPoint = Math.max(-128, Math.min(127, Math.ceil(mean) - 128));
  return { affine: { scale: 1 / std, zeroPoint }, offset: (zeroPoint - (mean - 128)) / std };
}

/** Moves what the input's zero point leaves over into the biases of the convolutions that read it: b' = b + offset * sum(w). */
function shiftInput(graph: Graph, offset: number): Graph {
  if (offset === 0) return graph;
  const inputs = new Set(graph.nodes.filter(({ op }) => op === 'input').map(({ name }) => name));
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      isFiltered(node) && inputs.has(node.input) ? shifted(node, offset) : node,
    ),
  };
}
function shifted(node: FilteredNode, offset: number): FilteredNode {
  const { count, of } = channelsOf(node);
  const sums = new Float64Array(count);
  node.kernel.data.forEach((weight, i) => {
    const channel = of(i);
    sums[channel] = (sums[channel] ?? 0) + weight;
  });
  return { ...node, bias: biasOf(node).map((value, c) => value + offset * (sums[c] ?? 0)) };
}

/** Scale and zero point of every tensor, in the graph's order. */
function chooseAffines(graph: Graph, ranges: ReadonlyMap<string, Range>, input: Affine): Map<string, Affine> {
  const affines = new Map<string, Affine>();
  const scaleOf = (name: string) => affines.get(name)?.scale ?? 0;
  const calibrated = (name: string, leastScale: number): Affine => {
    const range = ranges.get(name);
    if (range === undefined)
      throw new AdbreakError('training_failed', `Cannot quantize ${graph.name}: ${name} was not calibrated`);
    return affineOf(range, name, leastScale);
  };
  for (const node of graph.nodes) affines.set(node.name, choose(node));
  return affines;

  function choose(node: Node): Affine {
    switch (node.op) {
      case 'input':
        return input;
      case 'constant':
        return affineOf(
          { min: Math.min(...node.value.data), max: Math.max(...node.value.data) },
          node.name,
          0,
        );
      case 'conv2d':
      case 'depthwise':
      case 'dense':
        return calibrated(
          node.name,
          (scaleOf(node.input) * Math.max(...kernelScales(node, scaleOf(node.input)))) / LARGEST_RATIO,
        );
      case 'add':
        return calibrated(node.name, Math.max(...node.inputs.map(scaleOf)) / LARGEST_RATIO);
      case 'mul':
        return calibrated(node.name, node.inputs.map(scaleOf).reduce((a, b) => a * b) / LARGEST_RATIO);
      case 'mean':
      case 'relu':
      case 'relu6':
      case 'hardSwish':
      case 'hardSigmoid':
        return calibrated(node.name, 0);
      case 'averagePool':
      case 'maxPool':
      case 'reshape':
      case 'pad':
        return affines.get(node.input) ?? input;
      case 'softmax':
      case 'logistic':
        return { scale: 1 / 256, zeroPoint: -128 };
    }
  }
}

/** lo = min(0, min), hi = max(0, max), s = (hi - lo) / 255, zp = clamp(round(-128 - lo / s)). */
function affineOf({ min, max }: Range, name: string, leastScale: number): Affine {
  if (!Number.isFinite(min) || !Number.isFinite(max))
    throw new AdbreakError(
      'input_invalid',
      `Cannot quantize ${name}: its range must be finite: current value is ${min}..${max}`,
    );
  const low = Math.min(0, min);
  const high = Math.max(0, max);
  const scale = Math.fround(Math.max((high - low) / 255, SMALLEST_RANGE / 255, leastScale));
  return { scale, zeroPoint: Math.max(-128, Math.min(127, Math.round(-128 - low / scale))) };
}

function int8Version(node: Node, need: (name: string) => Affine): number {
  switch (node.op) {
    case 'conv2d':
    case 'depthwise':
      return 3;
    case 'dense':
      return 4;
    case 'mul':
      return (need(node.inputs[0]).scale * need(node.inputs[1]).scale) / need(node.name).scale >= 1 ? 3 : 2;
    case 'reshape':
    case 'hardSwish':
      return 1;
    case 'input':
    case 'constant':
    case 'add':
    case 'averagePool':
    case 'maxPool':
    case 'mean':
    case 'pad':
    case 'relu':
    case 'relu6':
    case 'hardSigmoid':
    case 'logistic':
    case 'softmax':
      return 2;
  }
}

function perTensor({ scale, zeroPoint }: Affine): Quantization {
  return { scale: [scale], zeroPoint: [zeroPoint], dimension: 0 };
}

function quantizedFilters(
  assembler: Assembler,
  node: FilteredNode,
  inputScale: number,
): readonly [number, number] {
  const scales = kernelScales(node, inputScale);
  const bias = quantizeBias(biasOf(node), scales, inputScale);
  const kept = node.op === 'dense' ? 1 : scales.length;
  const quantization = (values: number[], dimension: number): Quantization => ({
    scale: values.slice(0, kept),
    zeroPoint: Array(kept).fill(0),
    dimension,
  });
  const kernel = quantizeKernel(node, scales);
  return [
    assembler.constant(
      `${node.name}/kernel`,
      node.kernel.shape,
      'int8',
      kernel,
      quantization(scales, node.op === 'depthwise' ? 3 : 0),
    ),
    assembler.constant(
      `${node.name}/bias`,
      [scales.length],
      'int32',
      bias.values,
      quantization(bias.scales, 0),
    ),
  ];
}
