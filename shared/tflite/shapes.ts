import type { TfliteModel, TfliteOperator, TfliteSubgraph } from './schema.js';

const SAME_PADDING = 0;
type Shape = readonly number[];

/**
 * The shape that an operator gives, from those of its inputs and its options; null where the operator is not known or
 * its inputs do not go together. The native kernels size their loops from some of these and their buffers from others.
 */
export function outputShape(
  model: TfliteModel,
  graph: TfliteSubgraph,
  operator: TfliteOperator,
  name: string,
): Shape | null {
  const shapes = operator.inputs.map((index) => (graph.tensors[index]?.shape ?? []).map(Math.abs));
  const [input = [], second = []] = shapes;
  const fields = operator.options?.fields ?? {};
  const [n = 0, h = 0, w = 0, c = 0] = input;
  const window = (kh: number, kw: number, channels: number): Shape | null => {
    if (input.length !== 4) return null;
    return [
      n,
      slide(h, kh, field(fields['strideH']), field(fields['dilationH']), fields['padding']),
      slide(w, kw, field(fields['strideW']), field(fields['dilationW']), fields['padding']),
      channels,
    ];
  };
  switch (name) {
    case 'CONV_2D':
      return window(second[1] ?? 0, second[2] ?? 0, second[0] ?? 0);
    case 'DEPTHWISE_CONV_2D':
      return window(second[1] ?? 0, second[2] ?? 0, second[3] ?? 0);
    case 'AVERAGE_POOL_2D':
    case 'MAX_POOL_2D':
      return window(field(fields['filterH']), field(fields['filterW']), c);
    case 'FULLY_CONNECTED': {
      const [out = 0, width = 0] = second;
      if (width < 1 || elements(input) % width !== 0) return null;
      return fields['keepNumDims'] === 1 ? [...input.slice(0, -1), out] : [elements(input) / width, out];
    }
    case 'ADD':
    case 'MUL':
      return broadcast(input, second);
    case 'MEAN':
      return reduced(input, integers(model, graph, operator.inputs[1]), fields['keepDims'] === 1);
    case 'PAD': {
      const around = integers(model, graph, operator.inputs[1]);
      if (around?.length !== 2 * input.length || around.some((size) => size < 0)) return null;
      return input.map((size, axis) => size + (around[2 * axis] ?? 0) + (around[2 * axis + 1] ?? 0));
    }
    case 'RESHAPE': {
      const output = (graph.tensors[operator.outputs[0] ?? -1]?.shape ?? []).map(Math.abs);
      const wanted = integers(model, graph, operator.inputs[1]);
      const agrees =
        wanted === null ||
        (wanted.length === output.length &&
          wanted.every((size, axis) => size === -1 || size === output[axis]));
      return agrees && elements(output) === elements(input) ? output : null;
    }
    case 'DEQUANTIZE':
    case 'HARD_SWISH':
    case 'LOGISTIC':
    case 'QUANTIZE':
    case 'RELU':
    case 'RELU6':
    case 'SOFTMAX':
      return input;
    default:
      return null;
  }
}

function field(value: number | readonly number[] | undefined): number {
  return typeof value === 'number' ? value : 1;
}

function slide(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: number | readonly number[] | undefined,
): number {
  const reach = (kernel - 1) * dilation + 1;
  return padding === SAME_PADDING ? Math.ceil(size / stride) : Math.floor((size - reach) / stride) + 1;
}

export function elements(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** numpy's rule, or null where the shapes do not go together. */
export function broadcast(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return null;
    result.push(Math.max(x, y));
  }
  return result;
}

function reduced(input: Shape, axes: readonly number[] | null, keep: boolean): Shape | null {
  if (axes === null || axes.some((axis) => axis < -input.length || axis >= input.length)) return null;
  const gone = new Set(axes.map((axis) => (axis < 0 ? axis + input.length : axis)));
  return keep
    ? input.map((size, axis) => (gone.has(axis) ? 1 : size))
    : input.filter((_, axis) => !gone.has(axis));
}

/** Values of an int32 constant, or null where the tensor is none. */
function integers(model: TfliteModel, graph: TfliteSubgraph, index: number | undefined): number[] | null {
  const tensor = index === undefined ? undefined : graph.tensors[index];
  const bytes = tensor === undefined ? undefined : model.buffers[tensor.buffer];
  if (tensor?.type !== 'int32' || bytes === undefined || bytes.byteLength === 0) return null;
  return [...new Int32Array(Uint8Array.from(bytes).buffer)];
}
