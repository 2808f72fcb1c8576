import { AdbreakError } from '@adbreak/shared/errors.js';
import {
  ACTIVATIONS,
  type BuiltinName,
  type OperatorOptions,
  PADDING,
  type Quantization,
  type TensorType,
  type TfliteModel,
} from '@adbreak/shared/tflite/schema.js';
import { type FilteredNode, type Graph, inferShapes, inputsOf, isFiltered, type Node } from '../nn/graph.js';
import { Assembler } from './assembler.js';

type ConstantNode = Extract<Node, { op: 'constant' }>;
type ComputedNode = Exclude<Node, ConstantNode | { op: 'input' }>;

/** How one numeric type writes a graph: float32, int8 with its scales, or float32 with small weights. */
export interface Emitter {
  readonly type: TensorType;
  /** Operator version; docs/tflite.md, "Operators and versions", has the table. */
  version(node: ComputedNode): number;
  quantizationOf(node: Node): Quantization | null;
  constant(assembler: Assembler, node: ConstantNode): number;
  /** Adds kernel and bias; gives their tensor indices. */
  filters(assembler: Assembler, node: FilteredNode): readonly [kernel: number, bias: number];
}
/** What callers of the model see where that differs from the graph's own type; an operator converts. */
export interface Boundary {
  readonly input: { readonly type: TensorType; readonly quantization: Quantization | null };
  readonly output: { readonly type: TensorType; readonly quantization: Quantization | null };
}

/** Writes a graph whose batch normalizations are folded. `outputs` defaults to the last node. */
export function emit(
  graph: Graph,
  emitter: Emitter,
  options: { readonly outputs?: readonly string[]; readonly boundary?: Boundary } = {},
): TfliteModel {
  const shapes = inferShapes(graph);
  const assembler = new Assembler();
  const { boundary } = options;
  const inputs: string[] = [];
  for (const node of graph.nodes) {
    if (node.op === 'constant') {
      emitter.constant(assembler, node);
      continue;
    }
    const shape = shapes.get(node.name) ?? [];
    const outer = `${node.name}/${boundary?.input.type}`;
    const converted = node.op === 'input' && boundary !== undefined && boundary.input.type !== emitter.type;
    if (converted) assembler.activation(outer, shape, boundary.input.type, boundary.input.quantization);
    const output = assembler.activation(node.name, shape, emitter.type, emitter.quantizationOf(node));
    if (converted)
      assembler.operator('QUANTIZE', 1, [assembler.index(outer)], [output], { name: 'Quantize', fields: {} });
    if (node.op === 'input') inputs.push(converted ? outer : node.name);
    else emitNode(assembler, emitter, node, output, shape);
  }
  const last = graph.nodes.at(-1)?.name ?? '';
  const outputs = options.outputs ?? [
    boundary === undefined ? last : emitOutput(assembler, emitter, boundary, last, shapes.get(last) ?? []),
  ];
  return assembler.model(`adbreak ${graph.name}`, inputs, outputs);
}

function emitOutput(
  assembler: Assembler,
  emitter: Emitter,
  { output }: Boundary,
  last: string,
  shape: readonly number[],
): string {
  if (output.type === emitter.type) return last;
  const outer = `${last}/${output.type}`;
  const index = assembler.activation(outer, shape, output.type, output.quantization);
  if (output.type === 'float32')
    assembler.operator('DEQUANTIZE', 2, [assembler.index(last)], [index], { name: 'Dequantize', fields: {} });
  else assembler.operator('QUANTIZE', 1, [assembler.index(last)], [index], { name: 'Quantize', fields: {} });
  return outer;
}

function emitNode(
  assembler: Assembler,
  emitter: Emitter,
  node: ComputedNode,
  output: number,
  shape: readonly number[],
): void {
  const inputs = inputsOf(node).map((name) => assembler.index(name));
  const write = (builtin: BuiltinName, options: OperatorOptions | null, further: readonly number[] = []) =>
    assembler.operator(builtin, emitter.version(node), [...inputs, ...further], [output], options);
  const integers = (name: string, of: readonly number[], as: readonly number[]) =>
    assembler.constant(`${node.name}/${name}`, as, 'int32', Int32Array.from(of), null);
  switch (node.op) {
    case 'conv2d':
      return write('CONV_2D', window('Conv2D', node), emitter.filters(assembler, node));
    case 'depthwise':
      return write('DEPTHWISE_CONV_2D', window('DepthwiseConv2D', node), emitter.filters(assembler, node));
    case 'dense':
      return write(
        'FULLY_CONNECTED',
        { name: 'FullyConnected', fields: { activation: ACTIVATIONS[node.activation] } },
        emitter.filters(assembler, node),
      );
    case 'add':
      return write('ADD', { name: 'Add', fields: { activation: ACTIVATIONS[node.activation] } });
    case 'mul':
      return write('MUL', { name: 'Mul', fields: { activation: ACTIVATIONS[node.activation] } });
    case 'averagePool':
    case 'maxPool':
      return write(node.op === 'maxPool' ? 'MAX_POOL_2D' : 'AVERAGE_POOL_2D', {
        name: 'Pool2D',
        fields: {
          padding: PADDING[node.padding],
          strideW: node.stride,
          strideH: node.stride,
          filterW: node.size,
          filterH: node.size,
          activation: ACTIVATIONS.none,
        },
      });
    case 'mean':
      return write('MEAN', { name: 'Reducer', fields: { keepDims: node.keepDims ? 1 : 0 } }, [
        integers('axes', [1, 2], [2]),
      ]);
    case 'reshape':
      return write('RESHAPE', { name: 'Reshape', fields: { newShape: shape } }, [
        integers('shape', shape, [shape.length]),
      ]);
    case 'pad': {
      const [top, bottom, left, right] = node.around;
      return write('PAD', { name: 'Pad', fields: {} }, [
        integers('around', [0, 0, top, bottom, left, right, 0, 0], [4, 2]),
      ]);
    }
    case 'relu':
      return write('RELU', null);
    case 'relu6':
      return write('RELU6', null);
    case 'hardSwish':
      return write('HARD_SWISH', { name: 'HardSwish', fields: {} });
    case 'hardSigmoid':
      throw new AdbreakError(
        'model_unsupported',
        `Cannot write ${node.name}: TFLite has no hard sigmoid; it must be lowered first`,
      );
    case 'logistic':
      return write('LOGISTIC', null);
    case 'softmax':
      return write('SOFTMAX', { name: 'Softmax', fields: { beta: 1 } });
  }
}

function window(
  name: 'Conv2D' | 'DepthwiseConv2D',
  node: Extract<FilteredNode, { stride: number }>,
): OperatorOptions {
  const fields = {
    padding: PADDING[node.padding],
    strideW: node.stride,
    strideH: node.stride,
    activation: ACTIVATIONS[node.activation],
  };
  // A depth multiplier of 0 is read as "derive it", but keeps XNNPACK away.
  return { name, fields: name === 'DepthwiseConv2D' ? { ...fields, depthMultiplier: 1 } : fields };
}

/** Names of all tensors that the graph computes, in its order. */
export function computedNodes(graph: Graph): string[] {
  return graph.nodes.filter(({ op }) => op !== 'input' && op !== 'constant').map(({ name }) => name);
}

export function biasOf(node: FilteredNode): Float32Array {
  if (node.bias === null || node.batchNorm !== null)
    throw new AdbreakError(
      'model_unsupported',
      `Cannot write ${node.name}: its batch normalization must be folded first`,
    );
  return node.bias;
}

/** Refuses weights that are not finite numbers, by name. The graph is as it came from its file, or folded. */
export function checkFinite(graph: Graph): void {
  for (const node of graph.nodes.filter(isFiltered)) {
    const parts = {
      kernel: node.kernel.data,
      bias: node.bias,
      ...(node.batchNorm !== null && { ...node.batchNorm, epsilon: null }),
    };
    for (const [part, data] of Object.entries(parts)) {
      const at = data === null ? -1 : firstNotFinite(data);
      if (at >= 0)
        throw new AdbreakError(
          'input_invalid',
          `Cannot convert ${graph.name}: ${node.name}/${part}[${at}] must be finite: current value is ${data?.[at]}`,
        );
    }
  }
}

function firstNotFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}
