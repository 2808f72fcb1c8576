import { AdbreakError } from '../errors.js';
import {
  BYTES_PER_ELEMENT,
  builtinName,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSubgraph,
  type TfliteTensor,
} from './schema.js';
import { outputShape } from './shapes.js';

/** More than any network here needs, and less than hurts. */
const LARGEST_TENSOR = 256 * 1024 * 1024;
const LARGEST_WINDOW = 4096;
/** Inputs of the operators in use: at least, at most. */
const OPERANDS: Record<string, readonly [number, number]> = {
  ADD: [2, 2],
  AVERAGE_POOL_2D: [1, 1],
  CONV_2D: [2, 3],
  DEPTHWISE_CONV_2D: [2, 3],
  DEQUANTIZE: [1, 1],
  FULLY_CONNECTED: [2, 3],
  HARD_SWISH: [1, 1],
  LOGISTIC: [1, 1],
  MAX_POOL_2D: [1, 1],
  MEAN: [2, 2],
  MUL: [2, 2],
  PAD: [2, 2],
  QUANTIZE: [1, 1],
  RELU: [1, 1],
  RELU6: [1, 1],
  RESHAPE: [1, 2],
  SOFTMAX: [1, 1],
};
/** Fields of options that divide or count something: nothing below one makes sense. */
const COUNTS = ['strideW', 'strideH', 'dilationW', 'dilationH', 'filterW', 'filterH'];

/**
 * What the native libraries take on trust and would crash on: operators with too few inputs, windows of size zero,
 * constants shorter than their shape says, scales that do not fit their channels. Throws `model_corrupt` that names the
 * tensor or operator, or `model_unsupported` for tensors beyond all measure.
 */
export function checkRunnable(model: TfliteModel): void {
  for (const graph of model.subgraphs) {
    for (const tensor of graph.tensors) checkTensor(model, tensor);
    const written = new Set<number>();
    graph.operators.forEach((operator, position) => {
      checkOperator(model, graph, operator, position);
      for (const index of operator.outputs) {
        if (written.has(index) || graph.inputs.includes(index) || isConstant(model, graph.tensors[index]))
          throw corrupt(`operator ${position} writes tensor ${index}, which something else holds`);
        written.add(index);
      }
    });
    checkOrder(model, graph);
  }
}

function corrupt(why: string): AdbreakError {
  return new AdbreakError('model_corrupt', `Cannot use the model: ${why}`);
}

function isConstant(model: TfliteModel, tensor: TfliteTensor | undefined): boolean {
  return (
    tensor !== undefined &&
    ((model.buffers[tensor.buffer]?.byteLength ?? 0) > 0 || tensor.shape.join() === '0')
  );
}

function checkTensor(model: TfliteModel, tensor: TfliteTensor): void {
  const { name, shape, type, quantization } = tensor;
  const label = `tensor ${JSON.stringify(name)} of shape [${shape.join()}]`;
  const constant = isConstant(model, tensor);
  if (shape.some((size, axis) => (constant ? size < 0 : size < 1 && !(axis === 0 && size === -1))))
    throw corrupt(`${label} has a size that is not positive`);
  const bytes = shape.reduce((product, size) => product * Math.abs(size), BYTES_PER_ELEMENT[type]);
  if (!(bytes <= LARGEST_TENSOR))
    throw new AdbreakError(
      'model_unsupported',
      `Cannot use the model: ${label} is larger than ${LARGEST_TENSOR} bytes`,
    );
  const given = model.buffers[tensor.buffer]?.byteLength ?? 0;
  if (constant && given !== bytes)
    throw corrupt(`${label} of type ${type} needs ${bytes} bytes, its buffer has ${given}`);
  if (quantization === null) return;
  const { scale, zeroPoint, dimension } = quantization;
  if (!scale.every((value) => Number.isFinite(value) && value >= 0))
    throw corrupt(`${label} has a scale that is no positive number`);
  if (scale.length > 1 && (dimension < 0 || dimension >= shape.length || scale.length !== shape[dimension]))
    throw corrupt(`${label} has ${scale.length} scales along dimension ${dimension}`);
  if (zeroPoint.length !== scale.length)
    throw corrupt(`${label} has ${scale.length} scales and ${zeroPoint.length} zero points`);
  const [low, high] = type === 'uint8' ? [0, 255] : [-128, 127];
  if ((type === 'int8' || type === 'uint8') && !zeroPoint.every((value) => value >= low && value <= high))
    throw corrupt(`${label} has a zero point outside ${low} to ${high}`);
}

function checkOperator(
  model: TfliteModel,
  graph: TfliteSubgraph,
  operator: TfliteOperator,
  position: number,
): void {
  const name = builtinName(model, operator);
  const label = `operator ${position}${name === undefined ? '' : ` (${name})`}`;
  if (operator.outputs.length === 0) throw corrupt(`${label} has no output`);
  if (name === undefined) return;
  const [least, most] = OPERANDS[name] ?? [0, Number.POSITIVE_INFINITY];
  if (operator.inputs.length < least || operator.inputs.length > most || operator.outputs.length !== 1)
    throw corrupt(`${label} has ${operator.inputs.length} inputs and ${operator.outputs.length} outputs`);
  if (operator.inputs.slice(0, least).includes(-1)) throw corrupt(`${label} lacks an input`);
  for (const index of [...operator.inputs, ...operator.outputs]) {
    const tensor = graph.tensors[index];
    if (
      (tensor?.type === 'int8' || tensor?.type === 'uint8') &&
      !(tensor.quantization?.scale.every((scale) => scale > 0) ?? false)
    )
      throw corrupt(`${label} has ${tensor.type} tensor ${JSON.stringify(tensor.name)} without a scale`);
  }
  for (const field of COUNTS) {
    const value = operator.options?.fields[field];
    if (typeof value === 'number' && (value < 1 || value > LARGEST_WINDOW))
      throw corrupt(`${label} has ${field} ${value}`);
  }
  const needsOptions = [
    'CONV_2D',
    'DEPTHWISE_CONV_2D',
    'AVERAGE_POOL_2D',
    'MAX_POOL_2D',
    'FULLY_CONNECTED',
    'SOFTMAX',
    'MEAN',
    'ADD',
    'MUL',
  ].includes(name);
  if (needsOptions && operator.options === null) throw corrupt(`${label} has no options`);
  checkFilter(graph, operator, name, label);
  const declared = graph.tensors[operator.outputs[0] ?? -1]?.shape ?? [];
  const given = outputShape(model, graph, operator, name);
  if (given === null || !sameShape(given, declared))
    throw corrupt(
      `${label} gives [${given?.join() ?? 'nothing'}], its output is declared as [${declared.join()}]`,
    );
}

/** An open batch dimension is -1 in the file and 1 when it runs. */
function sameShape(given: readonly number[], declared: readonly number[]): boolean {
  return (
    given.length === declared.length &&
    given.every(
      (size, axis) => size > 0 && (size === declared[axis] || (axis === 0 && declared[axis] === -1)),
    )
  );
}

/** Kernel, bias and input must have sizes that belong together: XNNPACK reads as many values as the kernel says. */
function checkFilter(graph: TfliteSubgraph, operator: TfliteOperator, name: string, label: string): void {
  const axis = { CONV_2D: 0, DEPTHWISE_CONV_2D: 3, FULLY_CONNECTED: 0 }[name];
  if (axis === undefined) return;
  const [input, kernel, bias] = operator.inputs.map((index) => graph.tensors[index]);
  const rank = name === 'FULLY_CONNECTED' ? 2 : 4;
  if (kernel?.shape.length !== rank || input === undefined)
    throw corrupt(`${label} has a kernel of shape [${kernel?.shape.join()}]`);
  const channels = kernel.shape[axis] ?? 0;
  if (bias !== undefined && bias.shape.join() !== String(channels))
    throw corrupt(`${label} has a bias of shape [${bias.shape.join()}] for ${channels} channels`);
  const inputs = name === 'DEPTHWISE_CONV_2D' ? channels : (kernel.shape[rank - 1] ?? 0);
  const given = input.shape.at(-1) ?? 0;
  // A depth multiplier of m gives m channels for each of the input.
  if (
    name === 'DEPTHWISE_CONV_2D' ? given < 1 || inputs % given !== 0 : name === 'CONV_2D' && given !== inputs
  )
    throw corrupt(`${label} takes ${inputs} channels, its input has ${given}`);
}

/** There is something to give and something to get; what an operator reads and what the graph gives is a constant, an input, or was written before. */
function checkOrder(model: TfliteModel, graph: TfliteSubgraph): void {
  if (graph.inputs.length === 0 || graph.outputs.length === 0)
    throw corrupt(`the graph has ${graph.inputs.length} inputs and ${graph.outputs.length} outputs`);
  for (const index of graph.inputs)
    if (isConstant(model, graph.tensors[index])) throw corrupt(`input ${index} of the graph is a constant`);
  const ready = new Set(graph.inputs);
  graph.operators.forEach(({ inputs, outputs }, position) => {
    for (const index of inputs) {
      if (index >= 0 && !ready.has(index) && !isConstant(model, graph.tensors[index]))
        throw corrupt(`operator ${position} reads tensor ${index} before anything wrote it`);
    }
    for (const index of outputs) ready.add(index);
  });
  for (const index of graph.outputs)
    if (!ready.has(index)) throw corrupt(`nothing writes tensor ${index}, an output of the graph`);
}
