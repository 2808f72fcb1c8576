/**
 * The part of the TFLite flatbuffer schema in use: enums, table slots, option tables.
 * Source: tensorflow/lite/schema/schema.fbs, version 3 (identifier TFL3); slots as listed in docs/tflite.md, "The file".
 */
export const FILE_IDENTIFIER = 'TFL3';

export const TENSOR_TYPES = { float32: 0, float16: 1, int32: 2, uint8: 3, int64: 4, int8: 9 } as const;
export type TensorType = keyof typeof TENSOR_TYPES;
export const BYTES_PER_ELEMENT: Record<TensorType, number> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint8: 1,
  int64: 8,
  int8: 1,
};

export const ACTIVATIONS = { none: 0, relu: 1, relu6: 3 } as const;
export const PADDING = { same: 0, valid: 1 } as const;

export const BUILTIN = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEQUANTIZE: 6,
  FULLY_CONNECTED: 9,
  LOGISTIC: 14,
  MAX_POOL_2D: 17,
  MUL: 18,
  RELU: 19,
  RELU6: 21,
  RESHAPE: 22,
  SOFTMAX: 25,
  PAD: 34,
  MEAN: 40,
  QUANTIZE: 114,
  HARD_SWISH: 117,
} as const;
export type BuiltinName = keyof typeof BUILTIN;
const BUILTIN_NAMES = new Map<number, string>(Object.entries(BUILTIN).map(([name, code]) => [code, name]));

/** The name of an operator's code, undefined for those outside the subset. */
export function builtinName(model: TfliteModel, operator: TfliteOperator): string | undefined {
  return BUILTIN_NAMES.get(model.operatorCodes[operator.code]?.builtin ?? -1);
}

export const SLOTS = {
  model: {
    version: 0,
    operatorCodes: 1,
    subgraphs: 2,
    description: 3,
    buffers: 4,
    metadataBuffer: 5,
    metadata: 6,
  },
  operatorCode: { deprecated: 0, custom: 1, version: 2, builtin: 3 },
  subgraph: { tensors: 0, inputs: 1, outputs: 2, operators: 3, name: 4 },
  tensor: { shape: 0, type: 1, buffer: 2, name: 3, quantization: 4 },
  quantization: { min: 0, max: 1, scale: 2, zeroPoint: 3, dimension: 6 },
  operator: { opcode: 0, inputs: 1, outputs: 2, optionsType: 3, options: 4 },
  buffer: { data: 0 },
  metadata: { name: 0, buffer: 1 },
} as const;

type Scalar = 'i8' | 'i32' | 'f32' | 'bool' | 'i32[]';
/** Field -> [slot, kind, default of the schema]. A default is not written, as flatbuffers does. */
type Fields = Record<string, readonly [slot: number, kind: Scalar, fallback: number]>;

export const OPTIONS = {
  Conv2D: {
    union: 1,
    fields: {
      padding: [0, 'i8', 0],
      strideW: [1, 'i32', 0],
      strideH: [2, 'i32', 0],
      activation: [3, 'i8', 0],
      dilationW: [4, 'i32', 1],
      dilationH: [5, 'i32', 1],
    },
  },
  DepthwiseConv2D: {
    union: 2,
    fields: {
      padding: [0, 'i8', 0],
      strideW: [1, 'i32', 0],
      strideH: [2, 'i32', 0],
      depthMultiplier: [3, 'i32', 0],
      activation: [4, 'i8', 0],
      dilationW: [5, 'i32', 1],
      dilationH: [6, 'i32', 1],
    },
  },
  Pool2D: {
    union: 5,
    fields: {
      padding: [0, 'i8', 0],
      strideW: [1, 'i32', 0],
      strideH: [2, 'i32', 0],
      filterW: [3, 'i32', 0],
      filterH: [4, 'i32', 0],
      activation: [5, 'i8', 0],
    },
  },
  FullyConnected: {
    union: 8,
    fields: { activation: [0, 'i8', 0], weightsFormat: [1, 'i8', 0], keepNumDims: [2, 'bool', 0] },
  },
  Softmax: { union: 9, fields: { beta: [0, 'f32', 0] } },
  Add: { union: 11, fields: { activation: [0, 'i8', 0] } },
  Reshape: { union: 17, fields: { newShape: [0, 'i32[]', 0] } },
  Mul: { union: 21, fields: { activation: [0, 'i8', 0] } },
  Pad: { union: 22, fields: {} },
  Reducer: { union: 27, fields: { keepDims: [0, 'bool', 0] } },
  Dequantize: { union: 38, fields: {} },
  Quantize: { union: 89, fields: {} },
  HardSwish: { union: 91, fields: {} },
} as const satisfies Record<string, { union: number; fields: Fields }>;

export type OptionsName = keyof typeof OPTIONS;
/** Options as written in a file: a name and its scalar fields; a field left out has the schema's default. */
export interface OperatorOptions {
  readonly name: OptionsName;
  readonly fields: Readonly<Record<string, number | readonly number[]>>;
}

export interface Quantization {
  /** One scale per channel along `dimension`, or one for the whole tensor. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly dimension: number;
}
export interface TfliteTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Index into the model's buffers; 0 is the empty buffer of activations. */
  readonly buffer: number;
  readonly quantization: Quantization | null;
}
export interface TfliteOperator {
  /** Index into the model's operatorCodes. */
  readonly code: number;
  /** Tensor indices; -1 stands for an optional input left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Null where the operator has none, or options of a table this project does not know. */
  readonly options: OperatorOptions | null;
}
export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly TfliteOperator[];
}
export interface TfliteModel {
  readonly description: string;
  readonly operatorCodes: readonly { readonly builtin: number; readonly version: number }[];
  readonly subgraphs: readonly TfliteSubgraph[];
  /** Buffer 0 is empty by convention. */
  readonly buffers: readonly Uint8Array[];
  readonly metadata: readonly { readonly name: string; readonly buffer: number }[];
}
