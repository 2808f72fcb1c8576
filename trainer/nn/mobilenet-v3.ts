import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Graph } from './graph.js';
import { type InputSize, Layers, type Port, type WeightSource } from './layers.js';

type Row = readonly [
  kernel: number,
  ratio: number,
  out: number,
  squeeze: 0 | 1,
  activation: 'relu' | 'hardSwish',
  stride: 1 | 2,
];

/** Howard et al. 2019, tables 1 and 2, as Keras has them (applications/mobilenet_v3.py). Ratios give the expanded widths 72, 88, 200, 184. */
const SMALL: readonly Row[] = [
  [3, 1, 16, 1, 'relu', 2],
  [3, 72 / 16, 24, 0, 'relu', 2],
  [3, 88 / 24, 24, 0, 'relu', 1],
  [5, 4, 40, 1, 'hardSwish', 2],
  [5, 6, 40, 1, 'hardSwish', 1],
  [5, 6, 40, 1, 'hardSwish', 1],
  [5, 3, 48, 1, 'hardSwish', 1],
  [5, 3, 48, 1, 'hardSwish', 1],
  [5, 6, 96, 1, 'hardSwish', 2],
  [5, 6, 96, 1, 'hardSwish', 1],
  [5, 6, 96, 1, 'hardSwish', 1],
];
const LARGE: readonly Row[] = [
  [3, 1, 16, 0, 'relu', 1],
  [3, 4, 24, 0, 'relu', 2],
  [3, 3, 24, 0, 'relu', 1],
  [5, 3, 40, 1, 'relu', 2],
  [5, 3, 40, 1, 'relu', 1],
  [5, 3, 40, 1, 'relu', 1],
  [3, 6, 80, 0, 'hardSwish', 2],
  [3, 2.5, 80, 0, 'hardSwish', 1],
  [3, 2.3, 80, 0, 'hardSwish', 1],
  [3, 2.3, 80, 0, 'hardSwish', 1],
  [3, 6, 112, 1, 'hardSwish', 1],
  [3, 6, 112, 1, 'hardSwish', 1],
  [5, 6, 160, 1, 'hardSwish', 2],
  [5, 6, 160, 1, 'hardSwish', 1],
  [5, 6, 160, 1, 'hardSwish', 1],
];
const VARIANTS = {
  small: { rows: SMALL, embedding: 1024 },
  large: { rows: LARGE, embedding: 1280 },
} as const;
const STEM = 16;

/** Blocks a stage as timm counts them, for names of its files. */
export const MOBILENET_REPEATS = {
  small: [1, 2, 3, 2, 3],
  large: [1, 2, 3, 4, 2, 3],
} as const satisfies Record<keyof typeof VARIANTS, readonly number[]>;
export const MOBILENET_INPUT = 224;
/** The network sees x / 127.5 - 1. */
export const MOBILENET_NORMALIZATION = { mean: 127.5, std: 127.5 } as const;

export interface MobileNetOptions {
  readonly variant: keyof typeof VARIANTS;
  readonly inputSize?: InputSize;
  /** Width multiplier, Keras's alpha. */
  readonly width?: number;
  /** Without squeeze-and-excite, hard_swish and 5x5 kernels. */
  readonly minimalistic?: boolean;
  /** Classes of the classifier; null ends at the mean of the last convolution's features. */
  readonly classes: number | null;
  readonly port?: Port;
}

/** MobileNetV3. With 1,000 classes 2,554,968 parameters (small; minimalistic 2,056,848) or 5,507,432 (large; 3,948,688). */
export function mobileNetV3(weights: WeightSource, options: MobileNetOptions): Graph {
  const {
    variant,
    inputSize = MOBILENET_INPUT,
    width = 1,
    minimalistic = false,
    classes,
    port = 'tensorflow',
  } = options;
  if (!(width > 0 && width <= 4))
    throw new AdbreakError(
      'input_invalid',
      `Cannot build MobileNetV3: its width must be above 0 and at most 4: current value is ${width}`,
    );
  const layers = new Layers(weights, port, inputSize);
  const swish = minimalistic ? 'relu' : 'hardSwish';
  const { rows, embedding } = VARIANTS[variant];
  const point = { kernel: 1, stride: 1 } as const;

  let last = layers.conv('stem', 'image', [3, STEM], { kernel: 3, stride: 2, norm: true, activation: swish });
  let channels = STEM;
  rows.forEach(([kernel, ratio, plainOut, squeeze, plainActivation, stride], index) => {
    const block = `blocks.${index}.`;
    const activation = minimalistic ? 'relu' : plainActivation;
    const expanded = index === 0 ? channels : depth(channels * ratio);
    const out = depth(plainOut * width);
    const start = last;
    if (index > 0)
      last = layers.conv(`${block}expand`, last, [channels, expanded], { ...point, norm: true, activation });
    last = layers.depthwise(`${block}depthwise`, last, expanded, {
      kernel: minimalistic ? 3 : kernel,
      stride,
      norm: true,
      activation,
    });
    if (squeeze === 1 && !minimalistic) last = squeezeAndExcite(layers, block, last, expanded);
    last = layers.conv(`${block}project`, last, [expanded, out], {
      ...point,
      norm: true,
      activation: 'none',
    });
    if (stride === 1 && channels === out) last = layers.add(`${block}add`, [last, start]);
    channels = out;
  });

  const features = depth(channels * 6);
  last = layers.conv('head', last, [channels, features], { ...point, norm: true, activation: swish });
  last = layers.mean('features', last, classes !== null);
  if (classes !== null) {
    const embedded = width > 1 ? depth(embedding * width) : embedding;
    last = layers.conv('embed', last, [features, embedded], { ...point, norm: false, activation: swish });
    layers.nodes.push({ op: 'reshape', name: 'embedding', input: last, shape: [1, embedded] });
    layers.classifier('embedding', embedded, classes);
  }
  return { name: `mobilenet_v3_${variant}${minimalistic ? '_minimalistic' : ''}`, nodes: layers.nodes };
}

function squeezeAndExcite(layers: Layers, block: string, input: string, channels: number): string {
  const squeezed = depth(channels * 0.25);
  const mean = layers.mean(`${block}squeeze/mean`, input, true);
  const squeeze = layers.conv(`${block}squeeze`, mean, [channels, squeezed], {
    kernel: 1,
    stride: 1,
    norm: false,
    activation: 'relu',
  });
  const excite = layers.conv(`${block}excite`, squeeze, [squeezed, channels], {
    kernel: 1,
    stride: 1,
    norm: false,
    activation: 'hardSigmoid',
  });
  return layers.mul(`${block}excited`, [input, excite]);
}

/** Keras's _depth: a multiple of 8, at least 8, not more than a tenth below the value. */
function depth(value: number): number {
  const rounded = Math.max(8, Math.floor((value + 4) / 8) * 8);
  return rounded < 0.9 * value ? rounded + 8 : rounded;
}
