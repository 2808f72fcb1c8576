import {
  builtinName,
  type TensorType,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSubgraph,
} from '@adbreak/shared/tflite/schema.js';

export function operatorName(model: TfliteModel, operator: TfliteOperator): string {
  return builtinName(model, operator) ?? `operator ${model.operatorCodes[operator.code]?.builtin ?? -1}`;
}

/** Taken with any of the numeric types; the others depend on it. Measured on LiteRT 2.3 with one-operator models (docs/tflite.md, "What XNNPACK takes"). */
const ALWAYS = new Set([
  'CONV_2D',
  'DEPTHWISE_CONV_2D',
  'FULLY_CONNECTED',
  'ADD',
  'MUL',
  'MEAN',
  'LOGISTIC',
  'MAX_POOL_2D',
  'PAD',
  'RESHAPE',
  'DEQUANTIZE',
]);
const IN_FLOAT = new Set(['HARD_SWISH', 'SOFTMAX', 'RELU', 'RELU6', 'AVERAGE_POOL_2D']);

/** Whether XNNPACK takes an operator. What this project's schema does not know counts as not taken. */
export function isDelegated(model: TfliteModel, graph: TfliteSubgraph, operator: TfliteOperator): boolean {
  const name = operatorName(model, operator);
  const typeOf = (index: number | undefined): TensorType | undefined =>
    index === undefined ? undefined : graph.tensors[index]?.type;
  const [input, output] = [typeOf(operator.inputs[0]), typeOf(operator.outputs[0])];
  if (name === 'QUANTIZE') return output === 'int8' && (input === 'float32' || input === 'int8');
  if (name === 'DEPTHWISE_CONV_2D' && operator.options?.fields['depthMultiplier'] === 0) return false;
  return ALWAYS.has(name) || (IN_FLOAT.has(name) && output === 'float32');
}

export interface Partition {
  readonly delegated: boolean;
  /** Positions in the graph's list of operators. */
  readonly operators: readonly number[];
}

/**
 * The pieces into which a delegate cuts the graph, in the order they run: each takes all operators of its kind whose
 * inputs are ready, then the other kind has its turn (tensorflow/lite/graph_info.cc does the same).
 */
export function partitions(model: TfliteModel, graph: TfliteSubgraph): Partition[] {
  const kinds = graph.operators.map((operator) => isDelegated(model, graph, operator));
  const pending = new Set(graph.operators.flatMap(({ outputs }) => outputs));
  const left = new Set(graph.operators.keys());
  const pieces: Partition[] = [];
  while (left.size > 0) {
    const taken: number[] = [];
    let kind: boolean | null = null;
    for (let before = -1; before !== taken.length; ) {
      before = taken.length;
      for (const position of left) {
        const operator = graph.operators[position];
        if (operator === undefined || operator.inputs.some((index) => pending.has(index))) continue;
        kind ??= kinds[position] ?? false;
        if (kinds[position] !== kind) continue;
        taken.push(position);
        left.delete(position);
        for (const index of operator.outputs) pending.delete(index);
      }
    }
    // A cycle: readModel does not look for one, and what is in it never runs.
    if (kind === null) break;
    pieces.push({ delegated: kind, operators: taken });
  }
  return pieces;
}
