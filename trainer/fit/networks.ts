import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import type { TfliteRuntime } from '@adbreak/shared/tflite/runtime.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import type { TrainingConfig } from '../config/schema.js';
import { ARCHITECTURES, type ArchitectureName } from '../nn/architectures.js';
import type { Graph } from '../nn/graph.js';
import type { WeightSource } from '../nn/layers.js';
import type { SampleSource, Tracker } from '../ports.js';
import { sourceOf } from '../weights/sources.js';
import type { storedNetwork } from '../weights/store.js';

/** The network up to its features, `[1, width]`, and where its weights come from. */
export interface Backbone {
  readonly graph: Graph;
  readonly architecture: Manifest['architecture'];
  readonly weights: Manifest['weights'];
  /** The network sees (pixel - mean) / std. */
  readonly normalization: { readonly mean: number; readonly std: number };
}
export interface BackboneRequest {
  readonly config: TrainingConfig;
  readonly samples: SampleSource;
  readonly runtime: TfliteRuntime;
  readonly preprocess: Preprocess;
  readonly tracker: Tracker;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
/** Weights of an architecture, as stored on this machine. */
export type StoredNetwork = NonNullable<Awaited<ReturnType<typeof storedNetwork>>>;

/** For people. */
export const NAMES: Record<ArchitectureName, string> = {
  efficientnet_lite0: 'EfficientNet-Lite0',
  mobilenet_v3_small: 'MobileNetV3-Small',
  mobilenet_v3_large: 'MobileNetV3-Large',
};

/** A network with its stored weights, image -> features. */
export function storedGraph(
  architecture: ArchitectureName,
  { file, port }: StoredNetwork,
  size: Preprocess,
): Graph {
  return graphOf(architecture, sourceOf(file.tensors, architecture), size, port);
}

/** A network with weights of any source, image -> features. */
export function graphOf(
  architecture: ArchitectureName,
  source: WeightSource,
  { height, width }: Preprocess,
  port: StoredNetwork['port'] = 'tensorflow',
): Graph {
  return ARCHITECTURES[architecture].build(source, {
    inputSize: [height, width],
    classes: null,
    port,
    width: 1,
    minimalistic: false,
  });
}
