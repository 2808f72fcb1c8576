import { efficientNetLite0, LITE0_INPUT, LITE0_NORMALIZATION } from './efficientnet-lite0.js';
import type { Graph } from './graph.js';
import type { InputSize, Port, WeightSource } from './layers.js';
import { MOBILENET_INPUT, MOBILENET_NORMALIZATION, mobileNetV3 } from './mobilenet-v3.js';

export interface BuildOptions {
  readonly inputSize: InputSize;
  /** Classes of the classifier; null ends at the features. */
  readonly classes: number | null;
  readonly port: Port;
  /** MobileNetV3 alone. */
  readonly width: number;
  readonly minimalistic: boolean;
}
interface Architecture {
  readonly inputSize: number;
  /** The network sees (pixel - mean) / std. */
  readonly normalization: { readonly mean: number; readonly std: number };
  readonly build: (weights: WeightSource, options: BuildOptions) => Graph;
}

/** The networks by the names that commands and manifests use. */
export const ARCHITECTURES = {
  efficientnet_lite0: {
    inputSize: LITE0_INPUT,
    normalization: LITE0_NORMALIZATION,
    build: (weights, options) => efficientNetLite0(weights, options),
  },
  mobilenet_v3_small: {
    inputSize: MOBILENET_INPUT,
    normalization: MOBILENET_NORMALIZATION,
    build: (weights, options) => mobileNetV3(weights, { ...options, variant: 'small' }),
  },
  mobilenet_v3_large: {
    inputSize: MOBILENET_INPUT,
    normalization: MOBILENET_NORMALIZATION,
    build: (weights, options) => mobileNetV3(weights, { ...options, variant: 'large' }),
  },
} as const satisfies Record<string, Architecture>;

export type ArchitectureName = keyof typeof ARCHITECTURES;

export function isArchitecture(name: string): name is ArchitectureName {
  return Object.hasOwn(ARCHITECTURES, name);
}
