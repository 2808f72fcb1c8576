import { Builder } from 'flatbuffers';
import {
  FILE_IDENTIFIER,
  OPTIONS,
  type OperatorOptions,
  SLOTS,
  TENSOR_TYPES,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSubgraph,
  type TfliteTensor,
} from './schema.js';

/** Weights are mapped, not copied, by the runtimes: XNNPACK wants them aligned to 16 bytes. */
const ALIGNMENT = 16;
/** `tensorflow/lite/schema/schema.fbs`: codes over 127 do not fit the deprecated byte, which then holds 127. */
const PLACEHOLDER_CODE = 127;

/** Writes a TFLite file (identifier TFL3, schema version 3). Pure: the same model gives the same bytes. */
export function writeModel(model: TfliteModel): Uint8Array {
  const weights = model.buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
  const b = new Builder(weights + (1 << 16));
  const buffers = vectorOfTables(
    b,
    model.buffers.map((data) => writeBuffer(b, data)),
  );
  const subgraphs = vectorOfTables(
    b,
    model.subgraphs.map((subgraph) => writeSubgraph(b, subgraph)),
  );
  const codes = vectorOfTables(
    b,
    model.operatorCodes.map(({ builtin, version }) => {
      b.startObject(4);
      b.addFieldInt8(SLOTS.operatorCode.deprecated, Math.min(builtin, PLACEHOLDER_CODE), 0);
      b.addFieldInt32(SLOTS.operatorCode.version, version, 1);
      b.addFieldInt32(SLOTS.operatorCode.builtin, builtin, 0);
      return b.endObject();
    }),
  );
  const metadata = vectorOfTables(
    b,
    model.metadata.map(({ name, buffer }) => {
      const text = b.createString(name);
      b.startObject(2);
      b.addFieldOffset(SLOTS.metadata.name, text, 0);
      b.addFieldInt32(SLOTS.metadata.buffer, buffer, 0);
      return b.endObject();
    }),
  );
  const description = b.createString(model.description);
  b.startObject(8);
  b.addFieldInt32(SLOTS.model.version, 3, 0);
  b.addFieldOffset(SLOTS.model.operatorCodes, codes, 0);
  b.addFieldOffset(SLOTS.model.subgraphs, subgraphs, 0);
  b.addFieldOffset(SLOTS.model.description, description, 0);
  b.addFieldOffset(SLOTS.model.buffers, buffers, 0);
  if (model.metadata.length > 0) b.addFieldOffset(SLOTS.model.metadata, metadata, 0);
  b.finish(b.endObject(), FILE_IDENTIFIER);
  return b.asUint8Array();
}

function writeBuffer(b: Builder, data: Uint8Array): number {
  if (data.byteLength === 0) {
    b.startObject(1);
    return b.endObject();
  }
  b.startVector(1, data.byteLength, ALIGNMENT);
  // The builder grows downwards: its space is the start of what startVector has just prepared.
  const start = b.offset();
  b.pad(data.byteLength);
  const at = b.dataBuffer().capacity() - start - data.byteLength;
  b.dataBuffer().bytes().set(data, at);
  const vector = b.endVector();
  b.startObject(1);
  b.addFieldOffset(SLOTS.buffer.data, vector, 0);
  return b.endObject();
}

function writeSubgraph(b: Builder, subgraph: TfliteSubgraph): number {
  const tensors = vectorOfTables(
    b,
    subgraph.tensors.map((tensor) => writeTensor(b, tensor)),
  );
  const operators = vectorOfTables(
    b,
    subgraph.operators.map((operator) => writeOperator(b, operator)),
  );
  const inputs = int32Vector(b, subgraph.inputs);
  const outputs = int32Vector(b, subgraph.outputs);
  const name = b.createString(subgraph.name);
  b.startObject(5);
  b.addFieldOffset(SLOTS.subgraph.tensors, tensors, 0);
  b.addFieldOffset(SLOTS.subgraph.inputs, inputs, 0);
  b.addFieldOffset(SLOTS.subgraph.outputs, outputs, 0);
  b.addFieldOffset(SLOTS.subgraph.operators, operators, 0);
  b.addFieldOffset(SLOTS.subgraph.name, name, 0);
  return b.endObject();
}

function writeTensor(b: Builder, tensor: TfliteTensor): number {
  const name = b.createString(tensor.name);
  const shape = int32Vector(b, tensor.shape);
  const quantization = writeQuantization(b, tensor);
  b.startObject(5);
  b.addFieldOffset(SLOTS.tensor.shape, shape, 0);
  b.addFieldInt8(SLOTS.tensor.type, TENSOR_TYPES[tensor.type], 0);
  b.addFieldInt32(SLOTS.tensor.buffer, tensor.buffer, 0);
  b.addFieldOffset(SLOTS.tensor.name, name, 0);
  if (quantization !== 0) b.addFieldOffset(SLOTS.tensor.quantization, quantization, 0);
  return b.endObject();
}

function writeQuantization(b: Builder, { quantization }: TfliteTensor): number {
  if (quantization === null) return 0;
  b.startVector(4, quantization.scale.length, 4);
  for (const scale of quantization.scale.toReversed()) b.addFloat32(scale);
  const scale = b.endVector();
  b.startVector(8, quantization.zeroPoint.length, 8);
  for (const zeroPoint of quantization.zeroPoint.toReversed()) b.addInt64(BigInt(zeroPoint));
  const zeroPoint = b.endVector();
  b.startObject(7);
  b.addFieldOffset(SLOTS.quantization.scale, scale, 0);
  b.addFieldOffset(SLOTS.quantization.zeroPoint, zeroPoint, 0);
  b.addFieldInt32(SLOTS.quantization.dimension, quantization.dimension, 0);
  return b.endObject();
}

function writeOperator(b: Builder, operator: TfliteOperator): number {
  const inputs = int32Vector(b, operator.inputs);
  const outputs = int32Vector(b, operator.outputs);
  const options = operator.options === null ? 0 : writeOptions(b, operator.options);
  b.startObject(5);
  b.addFieldInt32(SLOTS.operator.opcode, operator.code, 0);
  b.addFieldOffset(SLOTS.operator.inputs, inputs, 0);
  b.addFieldOffset(SLOTS.operator.outputs, outputs, 0);
  if (operator.options !== null) {
    b.addFieldInt8(SLOTS.operator.optionsType, OPTIONS[operator.options.name].union, 0);
    b.addFieldOffset(SLOTS.operator.options, options, 0);
  }
  return b.endObject();
}

function writeOptions(b: Builder, options: OperatorOptions): number {
  const fields = Object.entries(OPTIONS[options.name].fields);
  const vectors = new Map<string, number>();
  for (const [field] of fields) {
    const value = options.fields[field];
    if (typeof value === 'object') vectors.set(field, int32Vector(b, value));
  }
  b.startObject(Math.max(0, ...fields.map(([, [slot]]) => slot + 1)));
  for (const [field, [slot, kind, fallback]] of fields) {
    const value = options.fields[field] ?? fallback;
    const vector = vectors.get(field);
    if (vector !== undefined) b.addFieldOffset(slot, vector, 0);
    else if (typeof value !== 'number') continue;
    else if (kind === 'f32') b.addFieldFloat32(slot, value, fallback);
    else if (kind === 'i32') b.addFieldInt32(slot, value, fallback);
    else b.addFieldInt8(slot, value, fallback);
  }
  return b.endObject();
}

function int32Vector(b: Builder, values: readonly number[]): number {
  b.startVector(4, values.length, 4);
  for (const value of values.toReversed()) b.addInt32(value);
  return b.endVector();
}
function vectorOfTables(b: Builder, offsets: readonly number[]): number {
  b.startVector(4, offsets.length, 4);
  for (const offset of offsets.toReversed()) b.addOffset(offset);
  return b.endVector();
}
