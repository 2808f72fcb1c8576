import type { BatchNorm, Constant, Node } from './graph.js';

/**
 * Where layers get their values: a file or a seeded initialiser. Layers are named alike in every architecture: `stem`,
 * `blocks.N.{expand, depthwise, squeeze, excite, project}`, `head`, `embed`, `classifier`. Every method throws
 * `input_invalid` that names the file's own tensor where it is missing or has another shape.
 */
export interface WeightSource {
  /** kernel as OHWI */
  conv(name: string, shape: readonly [number, number, number, number]): Constant;
  /** kernel as [1, kh, kw, C] */
  depthwise(name: string, shape: readonly [number, number, number, number]): Constant;
  bias(name: string, channels: number): Float32Array;
  /** The normalization behind the layer of this name. */
  batchNorm(name: string, channels: number, epsilon: number): BatchNorm;
  /** kernel as [out, in] */
  dense(name: string, shape: readonly [number, number]): Constant;
  /** How many classes the classifier in the file tells apart; null where it has none. */
  classes(): number | null;
}

/**
 * How a framework pads layers of stride 2 and what it adds to a variance. TensorFlow and its ports pad as much as the
 * picture needs (SAME); torch's own ports pad both sides alike, which is another function of the same weights.
 */
export type Port = 'tensorflow' | 'torch';

/** Of a square picture its side, else height and width. */
export type InputSize = number | readonly [height: number, width: number];

export type LayerActivation = 'none' | 'relu' | 'relu6' | 'hardSwish' | 'hardSigmoid';

interface LayerOptions {
  readonly kernel: number;
  readonly stride: number;
  readonly activation: LayerActivation;
  /** A batch normalization follows; otherwise the layer has a bias. */
  readonly norm: boolean;
}

/** Appends layers to a graph; each method gives the name of the tensor that it computes. */
export class Layers {
  readonly nodes: Node[];
  readonly #weights: WeightSource;
  readonly #port: Port;

  constructor(weights: WeightSource, port: Port, inputSize: InputSize) {
    this.#weights = weights;
    this.#port = port;
    const [height, width] = typeof inputSize === 'number' ? [inputSize, inputSize] : inputSize;
    this.nodes = [{ op: 'input', name: 'image', shape: [1, height, width, 3] }];
  }

  conv(name: string, input: string, [cin, cout]: readonly [number, number], options: LayerOptions): string {
    const { kernel, stride } = options;
    const weights = this.#weights.conv(name, [cout, kernel, kernel, cin]);
    this.nodes.push({
      op: 'conv2d',
      name,
      ...this.#padded(name, input, kernel, stride),
      stride,
      kernel: weights,
      ...this.#values(name, cout, options),
    });
    return this.#activated(name, options.activation);
  }

  depthwise(name: string, input: string, channels: number, options: LayerOptions): string {
    const { kernel, stride } = options;
    const weights = this.#weights.depthwise(name, [1, kernel, kernel, channels]);
    this.nodes.push({
      op: 'depthwise',
      name,
      ...this.#padded(name, input, kernel, stride),
      stride,
      kernel: weights,
      ...this.#values(name, channels, options),
    });
    return this.#activated(name, options.activation);
  }

  add(name: string, inputs: readonly [string, string]): string {
    this.nodes.push({ op: 'add', name, inputs, activation: 'none' });
    return name;
  }
  mul(name: string, inputs: readonly [string, string]): string {
    this.nodes.push({ op: 'mul', name, inputs, activation: 'none' });
    return name;
  }
  mean(name: string, input: string, keepDims: boolean): string {
    this.nodes.push({ op: 'mean', name, input, keepDims });
    return name;
  }

  /** [1, C] or [1, 1, 1, C] -> `logits` and `probabilities`, [1, classes]. */
  classifier(input: string, features: number, classes: number): void {
    const kernel = this.#weights.dense('classifier', [classes, features]);
    const bias = this.#weights.bias('classifier', classes);
    this.nodes.push({
      op: 'dense',
      name: 'logits',
      input,
      kernel,
      bias,
      batchNorm: null,
      activation: 'none',
    });
    this.nodes.push({ op: 'softmax', name: 'probabilities', input: 'logits' });
  }

  #padded(
    name: string,
    input: string,
    kernel: number,
    stride: number,
  ): { input: string; padding: 'same' | 'valid' } {
    if (this.#port === 'tensorflow' || stride === 1) return { input, padding: 'same' };
    const side = (kernel - 1) / 2;
    this.nodes.push({ op: 'pad', name: `${name}/pad`, input, around: [side, side, side, side] });
    return { input: `${name}/pad`, padding: 'valid' };
  }

  #values(name: string, channels: number, { norm, activation }: LayerOptions) {
    const epsilon = this.#port === 'tensorflow' ? 1e-3 : 1e-5;
    return {
      bias: norm ? null : this.#weights.bias(name, channels),
      batchNorm: norm ? this.#weights.batchNorm(name, channels, epsilon) : null,
      activation: activation === 'relu' || activation === 'relu6' ? activation : ('none' as const),
    };
  }

  #activated(name: string, activation: LayerActivation): string {
    if (activation !== 'hardSwish' && activation !== 'hardSigmoid') return name;
    this.nodes.push({ op: activation, name: `${name}/${activation}`, input: name });
    return `${name}/${activation}`;
  }
}
