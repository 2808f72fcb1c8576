import { AdbreakError } from '@adbreak/shared/errors.js';
import { ACTIVATIONS, type OperatorOptions, PADDING, type Quantization, type TensorType, type TfliteModel } from '@adbreak/shared/tflite/schema.js';
import { type FilteredNode, type Graph, inferShapes, isFiltered, type Node } from '../nn/graph.js';
import { Assembler } from './assembler.js';

/** How one numeric type writes a graph: float32, or int8 with its scales. */
export interface Emitter {
  readonly type: TensorType;
  readonly versions: {
    readonly conv2d: number;
    readonly depthwise: number;
    readonly dense: number;
    readonly add: number;
    readonly mean: number;
    readonly softmax: number;
  };
  quantizationOf(node: Node): Quantization | null;
  /** Adds kernel and bias; gives their tensor indices. */
  filters(assembler: Assembler, node: FilteredNode): readonly [kernel: number, bias: number];
}

/** Writes a graph whose batch normalizations are folded. `outputs` defaults to the last node. */
export function emit(graph: Graph, emitter: Emitter, outputs?: readonly string[]): TfliteModel {
  const shapes = inferShapes(graph);
  const assembler = new Assembler();
  for (const node of graph.nodes) {
    const output = assembler.activation(node.name, shapes.get(node.name) ?? [], emitter.type, emitter.quantizationOf(node));
    emitNode(assembler, emitter, node, output);
  }
  const input = graph.nodes.filter(({ op }) => op === 'input').map(({ name }) => name);
  const last = graph.nodes.at(-1)?.name ?? '';
  return assembler.model(`adbreak ${graph.name}`, input, outputs ?? [last]);
}

function emitNode(assembler: Assembler, emitter: Emitter, node: Node, output: number): void {
  const { versions } = emitter;
  switch (node.op) {
    case 'input':
      return;
    case 'conv2d':
      return assembler.operator(
        'CONV_2D',
        versions.conv2d,
        [assembler.index(node.input), ...emitter.filters(assembler, node)],
        [output],
        window('Conv2D', node),
      );
    case 'depthwise':
      return assembler.operator(
        'DEPTHWISE_CONV_2D',
        versions.depthwise,
        [assembler.index(node.input), ...emitter.filters(assembler, node)],
        [output],
        window('DepthwiseConv2D', node),
      );
    case 'dense':
      return assembler.operator('FULLY_CONNECTED', versions.dense, [assembler.index(node.input), ...emitter.filters(assembler, node)], [output], {
        name: 'FullyConnected',
        fields: { activation: ACTIVATIONS[node.activation] },
      });
    case 'add':
      return assembler.operator(
        'ADD',
        versions.add,
        node.inputs.map((name) => assembler.index(name)),
        [output],
        { name: 'Add', fields: { activation: ACTIVATIONS.none } },
      );
    case 'mean': {
      const axes = assembler.constant(`${node.name}/axes`, [2], 'int32', Int32Array.of(1, 2), null);
      return assembler.operator('MEAN', versions.mean, [assembler.index(node.input), axes], [output], { name: 'Reducer', fields: { keepDims: 0 } });
    }
    case 'softmax':
      return assembler.operator('SOFTMAX', versions.softmax, [assembler.index(node.input)], [output], { name: 'Softmax', fields: { beta: 1 } });
  }
}

function window(name: 'Conv2D' | 'DepthwiseConv2D', node: Extract<FilteredNode, { stride: number }>): OperatorOptions {
  const fields = { padding: PADDING[node.padding], strideW: node.stride, strideH: node.stride, activation: ACTIVATIONS[node.activation] };
  // A depth multiplier of 0 is read as "derive it", but keeps XNNPACK away.
  return { name, fields: name === 'DepthwiseConv2D' ? { ...fields, depthMultiplier: 1 } : fields };
}

/** The float32 model; with `exposeActivations` every computed tensor is an output, in the order of the nodes. */
export function emitFloat(graph: Graph, options: { exposeActivations: boolean }): TfliteModel {
  const emitter: Emitter = {
    type: 'float32',
    versions: { conv2d: 1, depthwise: 1, dense: 1, add: 1, mean: 1, softmax: 1 },
    quantizationOf: () => null,
    filters: (assembler, node) => [
      assembler.constant(`${node.name}/kernel`, node.kernel.shape, 'float32', node.kernel.data, null),
      assembler.constant(`${node.name}/bias`, [biasOf(node).length], 'float32', biasOf(node), null),
    ],
  };
  return emit(graph, emitter, options.exposeActivations ? computedNodes(graph) : undefined);
}

export function computedNodes(graph: Graph): string[] {
  return graph.nodes.filter(({ op }) => op !== 'input').map(({ name }) => name);
}

export function biasOf(node: FilteredNode): Float32Array {
  if (node.bias === null || node.batchNorm !== null)
    throw new AdbreakError('model_unsupported', `Cannot write ${node.name}: its batch normalization must be folded first`);
  return node.bias;
}

/** Refuses weights that are not finite numbers, by name. */
export function checkFinite(graph: Graph): void {
  for (const node of graph.nodes.filter(isFiltered)) {
    const at = node.kernel.data.findIndex((value) => !Number.isFinite(value));
    if (at >= 0 || !biasOf(node).every(Number.isFinite)) {
      throw new AdbreakError('input_invalid', `Cannot convert ${graph.name}: ${node.name}${at >= 0 ? `/kernel[${at}]` : '/bias'} must be finite`);
    }
  }
}
