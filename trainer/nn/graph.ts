import { AdbreakError } from '@adbreak/shared/errors.js';

/** A constant: row-major float32. */
export interface Constant {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** Statistics of a batch normalization, one value per output channel. */
export interface BatchNorm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}
export type Activation = 'none' | 'relu' | 'relu6';

interface Filtered {
  readonly name: string;
  readonly input: string;
  readonly kernel: Constant;
  readonly bias: Float32Array | null;
  readonly batchNorm: BatchNorm | null;
  readonly activation: Activation;
}
/** Every tensor is NHWC; kernels are laid out as TFLite wants them. */
export type Node =
  | { readonly op: 'input'; readonly name: string; readonly shape: readonly number[] }
  /** kernel OHWI */
  | ({ readonly op: 'conv2d'; readonly stride: number; readonly padding: 'same' | 'valid' } & Filtered)
  /** kernel [1, kh, kw, C] */
  | ({ readonly op: 'depthwise'; readonly stride: number; readonly padding: 'same' | 'valid' } & Filtered)
  /** kernel [out, in] */
  | ({ readonly op: 'dense' } & Filtered)
  | { readonly op: 'add'; readonly name: string; readonly inputs: readonly [string, string] }
  /** Mean over height and width, [N, H, W, C] -> [N, C]. */
  | { readonly op: 'mean'; readonly name: string; readonly input: string }
  | { readonly op: 'softmax'; readonly name: string; readonly input: string };

export type FilteredNode = Extract<Node, Filtered>;

/** Nodes in topological order; the last one is the output. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
}

function inputsOf(node: Node): readonly string[] {
  switch (node.op) {
    case 'input':
      return [];
    case 'add':
      return node.inputs;
    case 'conv2d':
    case 'depthwise':
    case 'dense':
    case 'mean':
    case 'softmax':
      return [node.input];
  }
}

/** Shapes of every node's output by name. Throws `model_unsupported` where operands do not fit. */
export function inferShapes(graph: Graph): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    const [first, second] = inputsOf(node).map((name) => {
      const shape = shapes.get(name);
      if (shape === undefined)
        throw new AdbreakError('model_unsupported', `Cannot build ${graph.name}: ${node.name} reads ${name}, which comes later or not at all`);
      return shape;
    });
    shapes.set(node.name, outputShape(graph, node, first ?? [], second));
  }
  return shapes;
}

function outputShape(graph: Graph, node: Node, input: readonly number[], second: readonly number[] | undefined): readonly number[] {
  const misfit = (why: string) => new AdbreakError('model_unsupported', `Cannot build ${graph.name}: ${node.op} ${node.name}: ${why}`);
  const [n = 1, h = 1, w = 1, c = 1] = input;
  switch (node.op) {
    case 'input':
      return node.shape;
    case 'conv2d': {
      const [out = 0, kh = 1, kw = 1, cin] = node.kernel.shape;
      if (cin !== c) throw misfit(`kernel takes ${cin} channels, the input has ${c}`);
      return [n, slide(h, kh, node), slide(w, kw, node), out];
    }
    case 'depthwise': {
      const [, kh = 1, kw = 1, channels] = node.kernel.shape;
      if (channels !== c) throw misfit(`kernel takes ${channels} channels, the input has ${c}`);
      return [n, slide(h, kh, node), slide(w, kw, node), c];
    }
    case 'dense': {
      const [out = 0, cin] = node.kernel.shape;
      if (cin !== input.at(-1)) throw misfit(`kernel takes ${cin} features, the input has ${input.at(-1)}`);
      return [n, out];
    }
    case 'add':
      if (input.join() !== second?.join()) throw misfit(`shapes [${input.join()}] and [${second?.join()}] differ`);
      return input;
    case 'mean':
      return [n, c];
    case 'softmax':
      return input;
  }
}

function slide(size: number, kernel: number, node: { stride: number; padding: 'same' | 'valid' }): number {
  return node.padding === 'same' ? Math.ceil(size / node.stride) : Math.floor((size - kernel) / node.stride) + 1;
}

/** Trainable values and batch statistics together, as Keras counts them. */
export function countParameters(graph: Graph): number {
  return graph.nodes
    .filter(isFiltered)
    .reduce((sum, { kernel, bias, batchNorm }) => sum + kernel.data.length + (bias?.length ?? 0) + (batchNorm === null ? 0 : 4 * batchNorm.gamma.length), 0);
}

export function isFiltered(node: Node): node is FilteredNode {
  return node.op === 'conv2d' || node.op === 'depthwise' || node.op === 'dense';
}

/** Batch normalization folded into kernel and bias: w' = w*g/sqrt(v+e), b' = (b-m)*g/sqrt(v+e) + beta. */
export function foldBatchNorm(graph: Graph): Graph {
  return { name: graph.name, nodes: graph.nodes.map((node) => (isFiltered(node) ? fold(node) : node)) };
}

function fold(node: FilteredNode): FilteredNode {
  const { batchNorm, kernel } = node;
  const channels = node.op === 'depthwise' ? (kernel.shape[3] ?? 0) : (kernel.shape[0] ?? 0);
  if (batchNorm === null) return { ...node, bias: node.bias ?? new Float32Array(channels) };
  const factor = batchNorm.gamma.map((gamma, c) => gamma / Math.sqrt((batchNorm.variance[c] ?? 0) + batchNorm.epsilon));
  const perChannel = kernel.data.length / channels;
  const channelOf = node.op === 'depthwise' ? (i: number) => i % channels : (i: number) => Math.floor(i / perChannel);
  const data = kernel.data.map((weight, i) => weight * (factor[channelOf(i)] ?? 0));
  const bias = Float32Array.from(
    { length: channels },
    (_, c) => ((node.bias?.[c] ?? 0) - (batchNorm.mean[c] ?? 0)) * (factor[c] ?? 0) + (batchNorm.beta[c] ?? 0),
  );
  return { ...node, kernel: { shape: kernel.shape, data }, bias, batchNorm: null };
}
