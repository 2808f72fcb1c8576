import { elements } from '@adbreak/shared/tflite/shapes.js';
import { type Activation, type FilteredNode, type Graph, inferShapes, type Node } from '../nn/graph.js';

/** A graph computed naively from the definition of each operator, batch normalization unfolded: what the converter is held against. */
export function compute(graph: Graph, image: Float32Array): Map<string, Float32Array> {
  const shapes = inferShapes(graph);
  const tensors = new Map<string, Float32Array>();
  const get = (name: string) => tensors.get(name) ?? new Float32Array(0);
  const shape = (name: string) => shapes.get(name) ?? [];
  for (const node of graph.nodes) tensors.set(node.name, evaluate(node));
  return tensors;

  function evaluate(node: Node): Float32Array {
    switch (node.op) {
      case 'input':
        return image;
      case 'constant':
        return node.value.data;
      case 'conv2d':
      case 'depthwise':
        return filter(node, get(node.input), shape(node.input), shape(node.name));
      case 'dense':
        return dense(node, get(node.input));
      case 'add':
      case 'mul':
        return binary(
          node,
          shape(node.name),
          node.inputs.map((name) => ({ data: get(name), shape: shape(name) })),
        );
      case 'averagePool':
      case 'maxPool':
        return pool(node, get(node.input), shape(node.input), shape(node.name));
      case 'mean':
        return mean(get(node.input), shape(node.input));
      case 'reshape':
        return get(node.input);
      case 'pad':
        return pad(node.around, get(node.input), shape(node.input), shape(node.name));
      case 'relu':
        return get(node.input).map((v) => Math.max(0, v));
      case 'relu6':
        return get(node.input).map((v) => Math.min(6, Math.max(0, v)));
      case 'hardSwish':
        return get(node.input).map((v) => (v * Math.min(6, Math.max(0, v + 3))) / 6);
      case 'hardSigmoid':
        return get(node.input).map((v) => Math.min(6, Math.max(0, v + 3)) / 6);
      case 'logistic':
        return get(node.input).map((v) => 1 / (1 + Math.exp(-v)));
      case 'softmax': {
        const e = get(node.input).map((v) => Math.exp(v));
        const sum = e.reduce((a, b) => a + b, 0);
        return e.map((v) => v / sum);
      }
    }
  }
}

function activate(value: number, activation: Activation): number {
  if (activation === 'none') return value;
  return Math.min(activation === 'relu6' ? 6 : Number.POSITIVE_INFINITY, Math.max(0, value));
}

function filter(
  node: Extract<FilteredNode, { stride: number }>,
  input: Float32Array,
  from: readonly number[],
  to: readonly number[],
): Float32Array {
  const [, h = 1, w = 1, c = 1] = from;
  const [, oh = 1, ow = 1, oc = 1] = to;
  const [, kh = 1, kw = 1] = node.kernel.shape;
  const deep = node.op === 'conv2d';
  const [top, left] = [before(node, h, oh, kh), before(node, w, ow, kw)];
  const out = new Float32Array(oh * ow * oc);
  for (let y = 0; y < oh; y++)
    for (let x = 0; x < ow; x++)
      for (let o = 0; o < oc; o++) {
        let sum = node.bias?.[o] ?? 0;
        for (let dy = 0; dy < kh; dy++)
          for (let dx = 0; dx < kw; dx++) {
            const [iy, ix] = [y * node.stride + dy - top, x * node.stride + dx - left];
            if (iy < 0 || ix < 0 || iy >= h || ix >= w) continue;
            for (let i = 0; i < (deep ? c : 1); i++) {
              const weight =
                node.kernel.data[deep ? ((o * kh + dy) * kw + dx) * c + i : (dy * kw + dx) * c + o] ?? 0;
              sum += weight * (input[(iy * w + ix) * c + (deep ? i : o)] ?? 0);
            }
          }
        const n = node.batchNorm;
        if (n !== null)
          sum =
            ((sum - (n.mean[o] ?? 0)) * (n.gamma[o] ?? 0)) / Math.sqrt((n.variance[o] ?? 0) + n.epsilon) +
            (n.beta[o] ?? 0);
        out[(y * ow + x) * oc + o] = activate(sum, node.activation);
      }
  return out;
}

/** SAME puts the smaller half of its zeros before. */
function before(
  node: { stride: number; padding: 'same' | 'valid' },
  size: number,
  out: number,
  kernel: number,
): number {
  return node.padding === 'same' ? Math.floor(Math.max(0, (out - 1) * node.stride + kernel - size) / 2) : 0;
}

function dense(node: FilteredNode, input: Float32Array): Float32Array {
  const [out = 0, width = 0] = node.kernel.shape;
  return Float32Array.from({ length: out }, (_, o) => {
    let sum = node.bias?.[o] ?? 0;
    for (let i = 0; i < width; i++) sum += (node.kernel.data[o * width + i] ?? 0) * (input[i] ?? 0);
    return activate(sum, node.activation);
  });
}

function binary(
  node: Extract<Node, { op: 'add' | 'mul' }>,
  to: readonly number[],
  operands: { data: Float32Array; shape: readonly number[] }[],
): Float32Array {
  const [a, b] = operands;
  return Float32Array.from({ length: elements(to) }, (_, i) => {
    const [x, y] = [pick(a, to, i), pick(b, to, i)];
    return activate(node.op === 'add' ? x + y : x * y, node.activation);
  });
}
function pick(
  operand: { data: Float32Array; shape: readonly number[] } | undefined,
  to: readonly number[],
  index: number,
): number {
  if (operand === undefined) return Number.NaN;
  let [at, stride, rest] = [0, 1, index];
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const size = operand.shape[axis - (to.length - operand.shape.length)] ?? 1;
    const coordinate = rest % (to[axis] ?? 1);
    rest = Math.floor(rest / (to[axis] ?? 1));
    if (size > 1) at += coordinate * stride;
    stride *= size;
  }
  return operand.data[at] ?? Number.NaN;
}

function pool(
  node: Extract<Node, { op: 'averagePool' | 'maxPool' }>,
  input: Float32Array,
  from: readonly number[],
  to: readonly number[],
): Float32Array {
  const [, h = 1, w = 1, c = 1] = from;
  const [, oh = 1, ow = 1] = to;
  const [top, left] = [before(node, h, oh, node.size), before(node, w, ow, node.size)];
  return Float32Array.from({ length: oh * ow * c }, (_, at) => {
    const [o, x, y] = [at % c, Math.floor(at / c) % ow, Math.floor(at / c / ow)];
    const seen: number[] = [];
    for (let dy = 0; dy < node.size; dy++)
      for (let dx = 0; dx < node.size; dx++) {
        const [iy, ix] = [y * node.stride + dy - top, x * node.stride + dx - left];
        if (iy >= 0 && ix >= 0 && iy < h && ix < w) seen.push(input[(iy * w + ix) * c + o] ?? 0);
      }
    return node.op === 'maxPool' ? Math.max(...seen) : seen.reduce((a, b) => a + b, 0) / seen.length;
  });
}

function mean(input: Float32Array, [, h = 1, w = 1, c = 1]: readonly number[]): Float32Array {
  return Float32Array.from({ length: c }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < h * w; i++) sum += input[i * c + k] ?? 0;
    return sum / (h * w);
  });
}

function pad(
  [top, , left]: readonly [number, number, number, number],
  input: Float32Array,
  [, h = 1, w = 1, c = 1]: readonly number[],
  to: readonly number[],
): Float32Array {
  const [, , ow = 1] = to;
  const out = new Float32Array(elements(to));
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (let k = 0; k < c; k++) out[((y + top) * ow + x + left) * c + k] = input[(y * w + x) * c + k] ?? 0;
  return out;
}
