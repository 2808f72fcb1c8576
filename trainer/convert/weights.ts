import { channelsOf, type FilteredNode } from '../nn/graph.js';
import { biasOf } from './emit.js';

/** Google's floor for an all-zero channel, and the largest |bias| it lets into int32 (docs/tflite.md, "Quantization"). */
const SMALLEST_MAGNITUDE = 5e-7;
const LARGEST_BIAS = 2 ** 30;
const LARGEST_WEIGHT = 127;

/**
 * Scales of a symmetric int8 kernel, one per output channel (equal for a dense layer: TFLite 2.9 misreads per-channel
 * FULLY_CONNECTED). With `inputScale` they are raised where the bias at s_in * s_w would not fit.
 */
export function kernelScales(node: FilteredNode, inputScale: number | null): number[] {
  const { count } = channelsOf(node);
  const largest = largestMagnitudes(node);
  if (node.op === 'dense') largest.fill(largest.reduce((a, b) => Math.max(a, b), 0));
  const bias = biasOf(node);
  const scales = Array.from({ length: count }, (_, c) => {
    const scale = Math.fround(Math.max(largest[c] ?? 0, SMALLEST_MAGNITUDE)) / LARGEST_WEIGHT;
    const needed = inputScale === null ? 0 : Math.abs(bias[c] ?? 0) / (inputScale * LARGEST_BIAS);
    return Math.fround(Math.max(scale, needed));
  });
  if (node.op === 'dense') scales.fill(Math.max(...scales));
  return scales;
}

function largestMagnitudes(node: FilteredNode): Float32Array {
  const { data } = node.kernel;
  const { count } = channelsOf(node);
  const perChannel = data.length / count;
  const largest = new Float32Array(count);
  for (let i = 0; i < data.length; i++) {
    const channel = node.op === 'depthwise' ? i % count : Math.floor(i / perChannel);
    const magnitude = Math.abs(data[i] ?? 0);
    if (magnitude > (largest[channel] ?? 0)) largest[channel] = magnitude;
  }
  return largest;
}

/** q = round(w / s_c), half away from zero as TFLite's quantizer rounds, within -127..127. */
export function quantizeKernel(node: FilteredNode, scales: readonly number[]): Int8Array {
  const { data } = node.kernel;
  const { count } = channelsOf(node);
  const perChannel = data.length / count;
  const quantized = new Int8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const channel = node.op === 'depthwise' ? i % count : Math.floor(i / perChannel);
    quantized[i] = roundedClamp((data[i] ?? 0) / (scales[channel] ?? 1), LARGEST_WEIGHT);
  }
  return quantized;
}

/** int32 bias at s_in * s_w, and that product as float32. */
export function quantizeBias(
  bias: Float32Array,
  scales: readonly number[],
  inputScale: number,
): { values: Int32Array; scales: number[] } {
  const products = scales.map((scale) => Math.fround(inputScale * scale));
  return {
    values: Int32Array.from(bias, (value, c) => roundedClamp(value / (products[c] ?? 1), LARGEST_BIAS)),
    scales: products,
  };
}

function roundedClamp(value: number, limit: number): number {
  const rounded = value < 0 ? -Math.round(-value) : Math.round(value);
  return Math.max(-limit, Math.min(limit, rounded));
}
