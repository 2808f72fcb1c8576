import {
  BYTES_PER_ELEMENT,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSubgraph,
  type TfliteTensor,
} from '@adbreak/shared/tflite/schema.js';
import { isDelegated, operatorName, partitions } from './partitions.js';

export interface OperatorFacts {
  readonly operator: string;
  readonly version: number;
  readonly output: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly scale: number | null;
  readonly zeroPoint: number | null;
  readonly multiplyAdds: number;
  readonly delegated: boolean;
}
export interface ModelInspection {
  readonly inputs: readonly TfliteTensor[];
  readonly outputs: readonly TfliteTensor[];
  readonly operators: readonly OperatorFacts[];
  readonly multiplyAdds: number;
  /** Bytes of weights. */
  readonly weightBytes: number;
  /** Pieces that XNNPACK runs, and operators that it leaves to the built-in kernels. */
  readonly partitions: number;
  readonly left: readonly string[];
}

/** What a model consists of and what XNNPACK makes of it. The first subgraph, which is the one that runs. */
export function inspect(model: TfliteModel): ModelInspection {
  const graph = model.subgraphs[0] ?? { name: '', tensors: [], inputs: [], outputs: [], operators: [] };
  const operators = graph.operators.map((operator): OperatorFacts => {
    const output = graph.tensors[operator.outputs[0] ?? -1];
    const [scale = null] = output?.quantization?.scale ?? [];
    const [zeroPoint = null] = output?.quantization?.zeroPoint ?? [];
    return {
      operator: operatorName(model, operator),
      version: model.operatorCodes[operator.code]?.version ?? 1,
      output: output?.name ?? '',
      type: output?.type ?? '',
      shape: output?.shape ?? [],
      scale,
      zeroPoint,
      multiplyAdds: multiplyAdds(model, graph, operator),
      delegated: isDelegated(model, graph, operator),
    };
  });
  const isTensor = (tensor: TfliteTensor | undefined) => tensor !== undefined;
  return {
    inputs: graph.inputs.map((index) => graph.tensors[index]).filter(isTensor),
    outputs: graph.outputs.map((index) => graph.tensors[index]).filter(isTensor),
    operators,
    multiplyAdds: operators.reduce((sum, operator) => sum + operator.multiplyAdds, 0),
    weightBytes: model.buffers.reduce((sum, { byteLength }) => sum + byteLength, 0),
    partitions: partitions(model, graph).filter(({ delegated }) => delegated).length,
    left: operators
      .filter(({ delegated }) => !delegated)
      .map(({ operator, output }) => `${operator} ${output}`),
  };
}

/** A multiplication with its addition counts once, as papers count; operators without a kernel count nothing. */
function multiplyAdds(model: TfliteModel, graph: TfliteSubgraph, operator: TfliteOperator): number {
  const kernel = graph.tensors[operator.inputs[1] ?? -1];
  const output = graph.tensors[operator.outputs[0] ?? -1];
  if (kernel === undefined || output === undefined) return 0;
  const [, h = 1, w = 1] = output.shape;
  const weights = kernel.shape.reduce((product, size) => product * size, 1);
  const name = operatorName(model, operator);
  if (name === 'CONV_2D' || name === 'DEPTHWISE_CONV_2D') return h * w * weights;
  return name === 'FULLY_CONNECTED' ? weights : 0;
}

/** Google's converter joins the names of all that it fused. */
const LONGEST_NAME = 48;

/** The inspection as people read it. */
export function describeModel(model: TfliteModel, bytes: number): string[] {
  const facts = inspect(model);
  const tensor = (role: string, { name, type, shape, quantization }: TfliteTensor) =>
    `${role} ${name} ${type} [${shape.join()}]${quantization === null ? '' : ` scale ${number(quantization.scale[0])} zero point ${quantization.zeroPoint[0]}`}`;
  const width = Math.min(LONGEST_NAME, Math.max(...facts.operators.map(({ output }) => output.length), 6));
  const short = (name: string) =>
    (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name).padEnd(width);
  const weights =
    model.subgraphs[0]?.tensors.filter(({ buffer }) => (model.buffers[buffer]?.byteLength ?? 0) > 0) ?? [];
  const types = [...new Set(weights.map(({ type }) => type))].map((type) => {
    const of = weights.filter((one) => one.type === type);
    return `${of.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0).toLocaleString('en')} ${type}`;
  });
  return [
    ...facts.inputs.map((one) => tensor('input ', one)),
    ...facts.operators.map(
      (one) =>
        `${one.delegated ? ' ' : '!'} ${`${one.operator} v${one.version}`.padEnd(21)} ${short(one.output)} ${`${one.type} [${one.shape.join()}]`.padEnd(24)}` +
        `${one.scale === null ? '' : ` scale ${number(one.scale)} zero point ${one.zeroPoint}`}${one.multiplyAdds > 0 ? `  ${(one.multiplyAdds / 1e6).toFixed(2)} M` : ''}`,
    ),
    ...facts.outputs.map((one) => tensor('output', one)),
    `${facts.operators.length} operators, ${(facts.multiplyAdds / 1e6).toFixed(1)} M multiply-adds, weights ${types.join(', ') || 'none'}, ${bytes.toLocaleString('en')} bytes`,
    `XNNPACK: ${facts.partitions} ${facts.partitions === 1 ? 'partition' : 'partitions'}${facts.left.length === 0 ? ', takes everything' : `; leaves ${facts.left.length} (!): ${summary(facts.left)}`}`,
    model.description,
  ].filter((line) => line !== '');
}

function summary(left: readonly string[]): string {
  const names = left.map((entry) => entry.split(' ')[0] ?? '');
  return [...new Set(names)]
    .map((name) => `${names.filter((other) => other === name).length} ${name}`)
    .join(', ');
}
function number(value: number | undefined): string {
  return value === undefined ? '?' : String(Number(value.toPrecision(6)));
}

/** The model with every tensor that an operator writes as an output, to compare layer by layer. */
export function exposeActivations(model: TfliteModel): TfliteModel {
  return {
    ...model,
    subgraphs: model.subgraphs.map((graph, i) =>
      i > 0
        ? graph
        : {
            ...graph,
            outputs: [...new Set(graph.operators.flatMap(({ outputs }) => outputs))].filter(
              (index) => sizeOf(graph.tensors[index]) > 0,
            ),
          },
    ),
  };
}
function sizeOf(tensor: TfliteTensor | undefined): number {
  return tensor === undefined
    ? 0
    : tensor.shape.reduce((product, size) => product * size, BYTES_PER_ELEMENT[tensor.type]);
}
