import { seeded } from '@adbreak/shared/random.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { convertToFloat, convertToInt8 } from '../convert/convert.js';
import { efficientNetLite0, LITE0_INPUT, LITE0_NORMALIZATION } from '../nn/efficientnet-lite0.js';
import type { Graph } from '../nn/graph.js';
import { pretrainedSource, randomSource } from '../weights/lite0.js';
import { storedWeights } from '../weights/store.js';
import { readTorchLegacy } from '../weights/torch-legacy.js';

/** EfficientNet-Lite0 with a two-class head: pretrained where the weights were pulled; speed does not depend on values. */
export async function lite0(): Promise<{ graph: Graph; weights: 'pretrained' | 'random' }> {
  const stored = await storedWeights();
  const random = seeded('bench');
  const backbone = efficientNetLite0(stored === null ? randomSource(random) : pretrainedSource(readTorchLegacy(stored)));
  const kernel = Float32Array.from({ length: 2 * 1280 }, () => random.normal() * 0.05);
  return {
    weights: stored === null ? 'random' : 'pretrained',
    graph: {
      name: backbone.name,
      nodes: [
        ...backbone.nodes,
        {
          op: 'dense',
          name: 'logits',
          input: 'features',
          kernel: { shape: [2, 1280], data: kernel },
          bias: new Float32Array(2),
          batchNorm: null,
          activation: 'none',
        },
        { op: 'softmax', name: 'probabilities', input: 'logits' },
      ],
    },
  };
}

/** Float and INT8 files of a graph, calibrated on seeded patterns. */
export async function bothFiles(graph: Graph, runtime: TfliteRuntime): Promise<{ float: Uint8Array; int8: Uint8Array; pixels: Uint8Array[] }> {
  const random = seeded('patterns');
  const pixels = Array.from({ length: 8 }, () => pattern(random.between(0.01, 0.2), random.between(0.01, 0.2), random.integer(256)));
  return { float: convertToFloat(graph), int8: await convertToInt8(graph, runtime, pixels, LITE0_NORMALIZATION), pixels };
}

/** Smooth colours: more like a picture than noise is. */
function pattern(fx: number, fy: number, shift: number): Uint8Array {
  const pixels = new Uint8Array(LITE0_INPUT * LITE0_INPUT * 3);
  for (let i = 0; i < pixels.length; i++) {
    const at = Math.floor(i / 3);
    pixels[i] = 128 + 90 * Math.sin((at % LITE0_INPUT) * fx + (i % 3)) * Math.cos(Math.floor(at / LITE0_INPUT) * fy) + shift / 8;
  }
  return pixels;
}
