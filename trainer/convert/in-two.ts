import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { cutGraph } from '../nn/cut.js';
import { type Graph, isFiltered } from '../nn/graph.js';
import { type CalibrateOptions, calibrate, type Observation } from './calibrate.js';
import { emitFloat } from './float.js';

/** What a network's front did over the calibration set. */
export interface Observed {
  readonly observations: ReadonlyMap<string, Observation>;
  /** Its output for each image. */
  readonly outputs: readonly Float32Array[];
}
/** What was kept under a key, a SHA-256 in hex over all that it follows from; else it is made and kept. */
export type KeepObserved = (key: string, make: () => Promise<Observed>) => Promise<Observed>;
export interface Images {
  /** Inputs as the network sees them, float32 [1, H, W, 3]. */
  readonly images: Iterable<Float32Array>;
  /** What they follow from. */
  readonly about: readonly unknown[];
}

/** Changes whenever the observations would. */
const FORMAT = 1;

/**
 * As `calibrate`, but in two: the network before its last layer with weights, which is kept, and that layer on
 * what the first gave. Another head on the same network and pictures costs no look at the pictures. The
 * observations are the same to the last bit.
 */
export async function calibrateInTwo(
  graph: Graph,
  runtime: TfliteRuntime,
  { images, about }: Images,
  options: CalibrateOptions,
  keep: KeepObserved,
): Promise<ReadonlyMap<string, Observation>> {
  const last = graph.nodes.findLast(isFiltered)?.name ?? '';
  const { front, tail } = cutGraph(graph, last);
  const { name, version } = runtime;
  const network = sha256(writeModel(emitFloat(front)));
  const key = sha256(JSON.stringify([FORMAT, name, version, options.method, network, ...about]));
  const seen = await keep(key, async () => {
    const outputs: Float32Array[] = [];
    const onOutput = (values: Float32Array) => outputs.push(values.slice());
    return { observations: await calibrate(front, runtime, images, { ...options, onOutput }), outputs };
  });
  const { onImage: _, ...further } = options;
  const behind = await calibrate(tail, runtime, seen.outputs, further);
  return new Map([...seen.observations, ...behind]);
}
