import { AdbreakError } from '@adbreak/shared/errors.js';
import { broadcast, elements } from '@adbreak/shared/tflite/shapes.js';

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
/** What an operator may apply to its own output. */
export type Activation = 'none' | 'relu' | 'relu6';
export type Padding = 'same' | 'valid';

interface Filtered {
  readonly name: string;
  readonly input: string;
  readonly kernel: Constant;
  readonly bias: Float32Array | null;
  readonly batchNorm: BatchNorm | null;
  readonly activation: Activation;
}
interface Sliding {
  readonly stride: number;
  readonly padding: Padding;
}
/** Element by element. hard_sigmoid is relu6(x + 3) / 6, hard_swish x times that (Howard et al. 2019). */
export const UNARY_OPS = ['relu', 'relu6', 'hardSwish', 'hardSigmoid', 'logistic'] as const;
export type UnaryOp = (typeof UNARY_OPS)[number];

/** Every tensor is NHWC; kernels are laid out as TFLite wants them. */
export type Node =
  | { readonly op: 'input'; readonly name: string; readonly shape: readonly number[] }
  | { readonly op: 'constant'; readonly name: string; readonly value: Constant }
  /** kernel OHWI */
  | ({ readonly op: 'conv2d' } & Filtered & Sliding)
  /** kernel [1, kh, kw, C] */
  | ({ readonly op: 'depthwise' } & Filtered & Sliding)
  /** kernel [out, in] */
  | ({ readonly op: 'dense' } & Filtered)
  /** Shapes are equal, or one operand has 1 where the other has more. */
  | {
      readonly op: 'add' | 'mul';
      readonly name: string;
      readonly inputs: readonly [string, string];
      readonly activation: Activation;
    }
  | ({
      readonly op: 'averagePool' | 'maxPool';
      readonly name: string;
      readonly input: string;
      readonly size: number;
    } & Sliding)
  /** Mean over height and width: [N, H, W, C] -> [N, C], or [N, 1, 1, C] with `keepDims`. */
  | { readonly op: 'mean'; readonly name: string; readonly input: string; readonly keepDims: boolean }
  | {
      readonly op: 'reshape';
      readonly name: string;
      readonly input: string;
      readonly shape: readonly number[];
    }
  /** Zeros around height and width: [top, bottom, left, right]. */
  | {
      readonly op: 'pad';
      readonly name: string;
      readonly input: string;
      readonly around: readonly [number, number, number, number];
    }
  | { readonly op: UnaryOp; readonly name: string; readonly input: string }
  | { readonly op: 'softmax'; readonly name: string; readonly input: string };

export type FilteredNode = Extract<Node, Filtered>;

/** Nodes in topological order; the last one is the output. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
}

export function inputsOf(node: Node): readonly string[] {
  if ('inputs' in node) return node.inputs;
  return 'input' in node ? [node.input] : [];
}

/** The same node reading other tensors. */
export function withInputs(node: Node, rename: (name: string) => string): Node {
  if ('inputs' in node) return { ...node, inputs: [rename(node.inputs[0]), rename(node.inputs[1])] };
  return 'input' in node ? { ...node, input: rename(node.input) } : node;
}

/** Who reads each tensor. A node that reads one twice is named twice. */
export function consumersOf(graph: Graph): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>(graph.nodes.map(({ name }) => [name, []]));
  for (const node of graph.nodes) for (const name of inputsOf(node)) consumers.get(name)?.push(node);
  return consumers;
}

/** Shapes of every node's output by name. Throws `model_unsupported` where operands do not fit. */
export function inferShapes(graph: Graph): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    if (shapes.has(node.name))
      throw new AdbreakError(
        'model_unsupported',
        `Cannot build ${graph.name}: two nodes are named ${node.name}`,
      );
    const [first, second] = inputsOf(node).map((name) => {
      const shape = shapes.get(name);
      if (shape === undefined)
        throw new AdbreakError(
          'model_unsupported',
          `Cannot build ${graph.name}: ${node.name} reads ${name}, which comes later or not at all`,
        );
      return shape;
    });
    shapes.set(node.name, outputShape(graph, node, first ?? [], second ?? []));
  }
  return shapes;
}

function outputShape(
  graph: Graph,
  node: Node,
  input: readonly number[],
  second: readonly number[],
): readonly number[] {
  const misfit = (why: string) =>
    new AdbreakError('model_unsupported', `Cannot build ${graph.name}: ${node.op} ${node.name}: ${why}`);
  const [n = 1, h = 1, w = 1, c = 1] = input;
  const picture = (): void => {
    if (input.length !== 4)
      throw misfit(`the input must have four dimensions: current value is [${input.join()}]`);
  };
  switch (node.op) {
    case 'input':
      return node.shape;
    case 'constant':
      return node.value.shape;
    case 'conv2d': {
      picture();
      const [out = 0, kh = 1, kw = 1, cin] = node.kernel.shape;
      if (cin !== c) throw misfit(`kernel takes ${cin} channels, the input has ${c}`);
      return [n, slide(h, kh, node), slide(w, kw, node), out];
    }
    case 'depthwise': {
      picture();
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
    case 'mul': {
      const shape = broadcast(input, second);
      if (shape === null) throw misfit(`shapes [${input.join()}] and [${second.join()}] differ`);
      return shape;
    }
    case 'averagePool':
    case 'maxPool':
      picture();
      return [n, slide(h, node.size, node), slide(w, node.size, node), c];
    case 'mean':
      picture();
      return node.keepDims ? [n, 1, 1, c] : [n, c];
    case 'reshape':
      if (elements(node.shape) !== elements(input))
        throw misfit(`[${input.join()}] does not fill [${node.shape.join()}]`);
      return node.shape;
    case 'pad': {
      picture();
      const [top, bottom, left, right] = node.around;
      return [n, h + top + bottom, w + left + right, c];
    }
    case 'relu':
    case 'relu6':
    case 'hardSwish':
    case 'hardSigmoid':
    case 'logistic':
    case 'softmax':
      return input;
  }
}

function slide(size: number, kernel: number, node: Sliding): number {
  return node.padding === 'same'
    ? Math.ceil(size / node.stride)
    : Math.floor((size - kernel) / node.stride) + 1;
}

/** Trainable values and batch statistics together, as Keras counts them. */
export function countParameters(graph: Graph): number {
  return graph.nodes
    .filter(isFiltered)
    .reduce(
      (sum, { kernel, bias, batchNorm }) =>
        sum +
        kernel.data.length +
        (bias?.length ?? 0) +
        (batchNorm === null ? 0 : 4 * batchNorm.gamma.length),
      0,
    );
}

/** Multiply-adds of convolutions and dense layers for one input, as papers count them. */
export function countMultiplyAdds(graph: Graph): number {
  const shapes = inferShapes(graph);
  return graph.nodes.filter(isFiltered).reduce((sum, node) => {
    const [, h = 1, w = 1] = node.op === 'dense' ? [] : (shapes.get(node.name) ?? []);
    return sum + h * w * node.kernel.data.length;
  }, 0);
}

export function isFiltered(node: Node): node is FilteredNode {
  return node.op === 'conv2d' || node.op === 'depthwise' || node.op === 'dense';
}

/** Output channels of a filtered node, and the channel of each element of its kernel. */
export function channelsOf(node: FilteredNode): {
  readonly count: number;
  readonly of: (element: number) => number;
} {
  const count = (node.op === 'depthwise' ? node.kernel.shape[3] : node.kernel.shape[0]) ?? 0;
  const perChannel = node.kernel.data.length / count;
  return { count, of: node.op === 'depthwise' ? (i) => i % count : (i) => Math.floor(i / perChannel) };
}
