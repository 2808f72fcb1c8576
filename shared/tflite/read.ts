import { AdbreakError } from '../errors.js';
import { TableCursor } from './cursor.js';
import {
  FILE_IDENTIFIER,
  OPTIONS,
  type OperatorOptions,
  type OptionsName,
  type Quantization,
  SLOTS,
  TENSOR_TYPES,
  type TensorType,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSubgraph,
  type TfliteTensor,
} from './schema.js';

/** Nothing that runs on a Pi comes near these; they bound what a hostile file can make us allocate. */
const LIMITS = { bytes: 512 * 1024 * 1024, tables: 100_000, rank: 8, operands: 1024, channels: 65_536 };

/** Reads a TFLite file. Throws `model_corrupt` with the offset, `model_unsupported` for types outside the subset. */
export function readModel(file: Uint8Array): TfliteModel {
  if (file.byteLength > LIMITS.bytes)
    throw new AdbreakError(
      'input_too_large',
      `Cannot read the model: ${file.byteLength} bytes, at most ${LIMITS.bytes}`,
    );
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const identifier = String.fromCharCode(...file.subarray(4, 8));
  if (identifier !== FILE_IDENTIFIER) {
    throw new AdbreakError(
      'model_corrupt',
      `Cannot read the model: offset 4 must hold ${FILE_IDENTIFIER}: current value is ${JSON.stringify(identifier)}`,
    );
  }
  const root = TableCursor.root(view);
  const model: TfliteModel = {
    description: root.string(SLOTS.model.description),
    operatorCodes: root.tables(SLOTS.model.operatorCodes, LIMITS.tables).map((code) => ({
      // A file older than the wide field carries its code in the deprecated byte alone.
      builtin: Math.max(code.i32(SLOTS.operatorCode.builtin, 0), code.i8(SLOTS.operatorCode.deprecated, 0)),
      version: code.i32(SLOTS.operatorCode.version, 1),
    })),
    subgraphs: root.tables(SLOTS.model.subgraphs, 64).map(readSubgraph),
    buffers: root.tables(SLOTS.model.buffers, LIMITS.tables).map((buffer) => buffer.bytes(SLOTS.buffer.data)),
    metadata: root.tables(SLOTS.model.metadata, 64).map((entry) => ({
      name: entry.string(SLOTS.metadata.name),
      buffer: entry.u32(SLOTS.metadata.buffer, 0),
    })),
  };
  checkIndices(model);
  return model;
}

function readSubgraph(table: TableCursor): TfliteSubgraph {
  return {
    name: table.string(SLOTS.subgraph.name),
    tensors: table.tables(SLOTS.subgraph.tensors, LIMITS.tables).map(readTensor),
    inputs: table.numbers(SLOTS.subgraph.inputs, 'i32', LIMITS.operands),
    outputs: table.numbers(SLOTS.subgraph.outputs, 'i32', LIMITS.operands),
    operators: table.tables(SLOTS.subgraph.operators, LIMITS.tables).map(readOperator),
  };
}

function readTensor(table: TableCursor): TfliteTensor {
  const name = table.string(SLOTS.tensor.name);
  const quantization = table.table(SLOTS.tensor.quantization);
  return {
    name,
    shape: table.numbers(SLOTS.tensor.shape, 'i32', LIMITS.rank),
    type: tensorType(table.i8(SLOTS.tensor.type, 0), name),
    buffer: table.u32(SLOTS.tensor.buffer, 0),
    quantization: quantization === null ? null : readQuantization(quantization),
  };
}

function readQuantization(table: TableCursor): Quantization | null {
  const scale = table.numbers(SLOTS.quantization.scale, 'f32', LIMITS.channels);
  if (scale.length === 0) return null;
  return {
    scale,
    zeroPoint: table.numbers(SLOTS.quantization.zeroPoint, 'i64', LIMITS.channels),
    dimension: table.i32(SLOTS.quantization.dimension, 0),
  };
}

function tensorType(code: number, name: string): TensorType {
  for (const [type, value] of Object.entries(TENSOR_TYPES))
    if (value === code && isTensorType(type)) return type;
  throw new AdbreakError(
    'model_unsupported',
    `Cannot use the model: tensor ${JSON.stringify(name)} has type code ${code}, outside float32, float16, int32, uint8, int64, int8`,
  );
}
function isTensorType(type: string): type is TensorType {
  return type in TENSOR_TYPES;
}

function readOperator(table: TableCursor): TfliteOperator {
  return {
    code: table.u32(SLOTS.operator.opcode, 0),
    inputs: table.numbers(SLOTS.operator.inputs, 'i32', LIMITS.operands),
    outputs: table.numbers(SLOTS.operator.outputs, 'i32', LIMITS.operands),
    options: readOptions(table),
  };
}

function readOptions(operator: TableCursor): OperatorOptions | null {
  const union = operator.u8(SLOTS.operator.optionsType, 0);
  const table = operator.table(SLOTS.operator.options);
  const known = Object.entries(OPTIONS).find(([, options]) => options.union === union);
  if (known === undefined || table === null) return null;
  const [name, { fields }] = known;
  const read: Record<string, number | number[]> = {};
  for (const [field, [slot, kind, fallback]] of Object.entries(fields)) {
    if (kind === 'i32[]') read[field] = table.numbers(slot, 'i32', LIMITS.rank);
    else if (kind === 'f32') read[field] = table.f32(slot, fallback);
    else if (kind === 'i32') read[field] = table.i32(slot, fallback);
    else read[field] = table.i8(slot, fallback);
  }
  return { name: isOptionsName(name) ? name : 'Quantize', fields: read };
}
function isOptionsName(name: string): name is OptionsName {
  return name in OPTIONS;
}

/** An index out of range is what makes native readers crash: refuse it before any of them sees the file. */
function checkIndices(model: TfliteModel): void {
  if (model.subgraphs.length === 0)
    throw new AdbreakError('model_corrupt', 'Cannot read the model: it has no subgraph');
  for (const { tensors, inputs, outputs, operators } of model.subgraphs) {
    const need = (index: number, count: number, what: string) => {
      if (index < 0 || index >= count)
        throw new AdbreakError('model_corrupt', `Cannot read the model: ${what} ${index} of ${count}`);
    };
    for (const tensor of tensors)
      need(tensor.buffer, model.buffers.length, `tensor ${JSON.stringify(tensor.name)} names buffer`);
    for (const index of [...inputs, ...outputs]) need(index, tensors.length, 'the graph names tensor');
    operators.forEach((operator, position) => {
      need(operator.code, model.operatorCodes.length, `operator ${position} names code`);
      for (const index of operator.inputs)
        if (index !== -1) need(index, tensors.length, `operator ${position} reads tensor`);
      for (const index of operator.outputs) need(index, tensors.length, `operator ${position} writes tensor`);
    });
  }
}
