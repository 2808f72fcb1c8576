import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Quantization, TfliteModel } from '@adbreak/shared/tflite/schema.js';
import type { FilteredNode, Graph, Node } from '../nn/graph.js';
import type { Assembler } from './assembler.js';
import { biasOf, type Emitter, emit } from './emit.js';

export interface Range {
  readonly min: number;
  readonly max: number;
}
interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Google's floor for an all-zero channel, and the largest |bias| it lets into int32 (FACTS-tflite.md section 4). */
const SMALLEST_RANGE = 5e-7;
const LARGEST_BIAS = 2 ** 30;

/**
 * Full INT8 after the TFLite 8-bit quantization specification: per-channel symmetric kernels (per tensor for dense:
 * TFLite 2.9 misreads per-channel FULLY_CONNECTED), asymmetric activations, int32 bias at s_in * s_w, softmax fixed
 * at 1/256. Input is int8 with the given normalisation folded into its scale: pixel - 128.
 */
export function quantizeInt8(graph: Graph, ranges: ReadonlyMap<string, Range>, input: Affine): TfliteModel {
  const affineOf = (name: string): Affine => {
    const node = graph.nodes.find((candidate) => candidate.name === name);
    if (node?.op === 'input') return input;
    if (node?.op === 'softmax') return { scale: 1 / 256, zeroPoint: -128 };
    const range = ranges.get(name);
    if (range === undefined) throw new AdbreakError('training_failed', `Cannot quantize ${graph.name}: ${name} was not calibrated`);
    return affine(range, name);
  };
  const emitter: Emitter = {
    type: 'int8',
    versions: { conv2d: 3, depthwise: 3, dense: 4, add: 2, mean: 2, softmax: 2 },
    quantizationOf: (node: Node) => perTensor(affineOf(node.name)),
    filters: (assembler, node) => quantizedFilters(assembler, node, affineOf(node.input).scale),
  };
  return emit(graph, emitter);
}

/** int8 input for pixels 0..255 of a network that sees (x - mean) / std: q = x - 128. */
export function pixelAffine(normalization: { mean: number; std: number }): Affine {
  return { scale: 1 / normalization.std, zeroPoint: normalization.mean - 128 };
}

function perTensor({ scale, zeroPoint }: Affine): Quantization {
  return { scale: [scale], zeroPoint: [zeroPoint], dimension: 0 };
}

/** lo = min(0, min), hi = max(0, max), s = (hi - lo) / 255, zp = clamp(round(-128 - lo / s)). */
function affine({ min, max }: Range, name: string): Affine {
  if (!Number.isFinite(min) || !Number.isFinite(max))
    throw new AdbreakError('input_invalid', `Cannot quantize ${name}: its range must be finite: current value is ${min}..${max}`);
  const low = Math.min(0, min);
  const high = Math.max(0, max);
  const scale = Math.max(high - low, SMALLEST_RANGE) / 255;
  return { scale, zeroPoint: Math.max(-128, Math.min(127, Math.round(-128 - low / scale))) };
}

function quantizedFilters(assembler: Assembler, node: FilteredNode, inputScale: number): readonly [number, number] {
  const bias = biasOf(node);
  const { shape, data } = node.kernel;
  const dimension = node.op === 'depthwise' ? 3 : 0;
  const channels = shape[dimension] ?? 0;
  const perChannel = data.length / channels;
  const channelOf = dimension === 3 ? (i: number) => i % channels : (i: number) => Math.floor(i / perChannel);

  const largest = new Float32Array(channels);
  data.forEach((weight, i) => {
    const channel = channelOf(i);
    largest[channel] = Math.max(largest[channel] ?? 0, Math.abs(weight));
  });
  if (node.op === 'dense') largest.fill(largest.reduce((a, b) => Math.max(a, b), 0));
  const scales = Array.from(largest, (value, c) => {
    const scale = Math.fround(Math.max(value, SMALLEST_RANGE)) / 127;
    const needed = Math.abs(bias[c] ?? 0) / (inputScale * LARGEST_BIAS);
    return Math.fround(Math.max(scale, needed));
  });
  if (node.op === 'dense') scales.fill(Math.max(...scales));

  const kernel = Int8Array.from(data, (weight, i) => roundedClamp(weight / (scales[channelOf(i)] ?? 1), 127));
  const biasScale = scales.map((scale) => Math.fround(inputScale * scale));
  const biases = Int32Array.from(bias, (value, c) => roundedClamp(value / (biasScale[c] ?? 1), LARGEST_BIAS));
  const kept = node.op === 'dense' ? 1 : channels;
  const quantization = (values: number[], axis: number): Quantization => ({ scale: values.slice(0, kept), zeroPoint: Array(kept).fill(0), dimension: axis });
  return [
    assembler.constant(`${node.name}/kernel`, shape, 'int8', kernel, quantization(scales, dimension)),
    assembler.constant(`${node.name}/bias`, [channels], 'int32', biases, quantization(biasScale, 0)),
  ];
}

/** Half away from zero, as TFLite's quantizer rounds. */
function roundedClamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, Math.sign(value) * Math.round(Math.abs(value))));
}
