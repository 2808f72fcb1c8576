import { seeded } from '@adbreak/shared/random.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { convertInt8 } from '@adbreak/trainer/convert/convert.js';
import { ARCHITECTURES, type ArchitectureName } from '@adbreak/trainer/nn/architectures.js';
import type { Graph } from '@adbreak/trainer/nn/graph.js';
import { randomSource, sourceOf } from '@adbreak/trainer/weights/sources.js';
import { storedWeights } from '@adbreak/trainer/weights/store.js';

type Weights = 'pretrained' | 'random';
const SIZE = 224;

/** A network with its classifier: pretrained where weights are stored; speed does not depend on values. */
export async function network(architecture: ArchitectureName): Promise<{ graph: Graph; weights: Weights }> {
  const stored = await storedWeights(architecture);
  const source = stored === null ? randomSource(seeded('bench')) : sourceOf(stored.tensors, architecture);
  const graph = ARCHITECTURES[architecture].build(source, {
    inputSize: SIZE,
    classes: source.classes() ?? 1000,
    port: 'tensorflow',
    width: 1,
    minimalistic: false,
  });
  return { graph, weights: stored === null ? 'random' : 'pretrained' };
}

/** The INT8 file of a network, calibrated on seeded patterns. */
export async function int8File(
  architecture: ArchitectureName,
): Promise<{ file: Uint8Array; weights: Weights }> {
  const { graph, weights } = await network(architecture);
  const { model } = await convertInt8(graph, tfliteRuntime(), patterns(), {
    normalization: ARCHITECTURES[architecture].normalization,
  });
  return { file: writeModel(model), weights };
}

/** Smooth colours: more like pictures than noise is. */
export function patterns(count = 8): Uint8Array[] {
  const random = seeded('patterns');
  return Array.from({ length: count }, () => {
    const [fx, fy, shift] = [random.between(0.01, 0.2), random.between(0.01, 0.2), random.integer(256)];
    const pixels = new Uint8Array(SIZE * SIZE * 3);
    for (let i = 0; i < pixels.length; i++) {
      const at = Math.floor(i / 3);
      pixels[i] =
        128 + 90 * Math.sin((at % SIZE) * fx + (i % 3)) * Math.cos(Math.floor(at / SIZE) * fy) + shift / 8;
    }
    return pixels;
  });
}
