import { TableCursor } from '@adbreak/shared/tflite/cursor.js';
import { BUILTIN, type TfliteModel } from '@adbreak/shared/tflite/schema.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { Builder } from 'flatbuffers';
import type { Normalization } from './quantize.js';

/**
 * TFLite metadata (tensorflow/lite/support metadata_schema.fbs, identifier M001): what goes in and comes out, in the
 * form that Google's and Android's tools read. Files lie behind the flatbuffer as a ZIP of stored entries.
 */
export interface ModelFacts {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly normalization: Normalization;
  /** Class names in the order of the output; empty where the model has none. */
  readonly labels: readonly string[];
}

const ENTRY = 'TFLITE_METADATA';
const IDENTIFIER = 'M001';
const LABELS_FILE = 'labels.txt';
const SLOTS = {
  model: {
    name: 0,
    description: 1,
    version: 2,
    subgraphs: 3,
    author: 4,
    license: 5,
    associatedFiles: 6,
    minParserVersion: 7,
  },
  subgraph: { inputs: 2, outputs: 3 },
  tensor: { name: 0, description: 1, content: 3, processUnits: 4, stats: 5, associatedFiles: 6 },
  content: { type: 0, properties: 1 },
  image: { colorSpace: 0 },
  unit: { type: 0, options: 1 },
  normalization: { mean: 0, std: 1 },
  stats: { max: 0, min: 1 },
  file: { name: 0, description: 1, type: 2 },
} as const;
const CONTENT = { feature: 1, image: 2 } as const;
const RGB = 1;
const NORMALIZATION = 1;
const TENSOR_AXIS_LABELS = 2;
/** The first TFLite with all operators of plain INT8 and float models; for the rest, the oldest that we run in our tests. */
const MIN_RUNTIME = { plain: '1.14.0', tested: '2.9.0' } as const;

/** The file with metadata, least runtime version, and labels behind it. */
export function writeWithMetadata(model: TfliteModel, facts: ModelFacts): Uint8Array {
  const plain = model.operatorCodes.every(
    ({ builtin, version }) => builtin !== BUILTIN.HARD_SWISH && version <= 3,
  );
  const runtime = new Uint8Array(16);
  runtime.set(strToU8(plain ? MIN_RUNTIME.plain : MIN_RUNTIME.tested));
  const buffers = [...model.buffers, metadataBuffer(model, facts), runtime];
  const described = {
    ...model,
    description: facts.description,
    buffers,
    metadata: [
      { name: ENTRY, buffer: buffers.length - 2 },
      { name: 'min_runtime_version', buffer: buffers.length - 1 },
    ],
  };
  const file = writeModel(described);
  return facts.labels.length === 0
    ? file
    : withFiles(file, { [LABELS_FILE]: strToU8(`${facts.labels.join('\n')}\n`) });
}

function metadataBuffer(model: TfliteModel, facts: ModelFacts): Uint8Array {
  const b = new Builder(1024);
  const table = (
    fields: readonly (readonly [slot: number, offset: number])[],
    bytes: readonly (readonly [slot: number, value: number])[] = [],
  ) => {
    b.startObject(Math.max(-1, ...fields.map(([slot]) => slot), ...bytes.map(([slot]) => slot)) + 1);
    for (const [slot, offset] of fields) b.addFieldOffset(slot, offset, 0);
    for (const [slot, value] of bytes) b.addFieldInt8(slot, value, 0);
    return b.endObject();
  };
  const vector = (offsets: readonly number[]) => {
    b.startVector(4, offsets.length, 4);
    for (const offset of offsets.toReversed()) b.addOffset(offset);
    return b.endVector();
  };
  const floats = (...values: number[]) => {
    b.startVector(4, values.length, 4);
    for (const value of values.toReversed()) b.addFloat32(value);
    return b.endVector();
  };
  const labels =
    facts.labels.length === 0
      ? null
      : vector([
          table(
            [
              [SLOTS.file.name, b.createString(LABELS_FILE)],
              [SLOTS.file.description, b.createString('Class names in the order of the output')],
            ],
            [[SLOTS.file.type, TENSOR_AXIS_LABELS]],
          ),
        ]);
  const { mean, std } = facts.normalization;
  const normalization = table([
    [SLOTS.normalization.mean, floats(mean)],
    [SLOTS.normalization.std, floats(std)],
  ]);
  const image = table([], [[SLOTS.image.colorSpace, RGB]]);
  const input = table([
    [SLOTS.tensor.name, b.createString('image')],
    [SLOTS.tensor.description, b.createString('RGB picture; the network sees (x - mean) / std')],
    [SLOTS.tensor.content, table([[SLOTS.content.properties, image]], [[SLOTS.content.type, CONTENT.image]])],
    [
      SLOTS.tensor.processUnits,
      vector([table([[SLOTS.unit.options, normalization]], [[SLOTS.unit.type, NORMALIZATION]])]),
    ],
    [
      SLOTS.tensor.stats,
      table([
        [SLOTS.stats.max, floats((255 - mean) / std)],
        [SLOTS.stats.min, floats(-mean / std)],
      ]),
    ],
  ]);
  const output = table([
    [
      SLOTS.tensor.name,
      b.createString(model.subgraphs[0]?.tensors[model.subgraphs[0].outputs[0] ?? 0]?.name ?? 'output'),
    ],
    [
      SLOTS.tensor.content,
      table([[SLOTS.content.properties, table([])]], [[SLOTS.content.type, CONTENT.feature]]),
    ],
    ...(labels === null ? [] : [[SLOTS.tensor.associatedFiles, labels] as const]),
  ]);
  const subgraph = table([
    [SLOTS.subgraph.inputs, vector([input])],
    [SLOTS.subgraph.outputs, vector([output])],
  ]);
  const root = table([
    [SLOTS.model.name, b.createString(facts.name)],
    [SLOTS.model.description, b.createString(facts.description)],
    [SLOTS.model.version, b.createString(facts.version)],
    [SLOTS.model.subgraphs, vector([subgraph])],
    [SLOTS.model.minParserVersion, b.createString('1.0.0')],
  ]);
  b.finish(root, IDENTIFIER);
  return b.asUint8Array();
}

/** A ZIP behind the flatbuffer whose offsets count from the start of the file, as the metadata tools read it. */
function withFiles(file: Uint8Array, files: Record<string, Uint8Array>): Uint8Array {
  const zip = zipSync(files, { level: 0, mtime: '1980-01-01T00:00:00' });
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = zip.byteLength - 22;
  const directory = view.getUint32(end + 16, true);
  for (
    let at = directory;
    at < end;
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  ) {
    view.setUint32(at + 42, view.getUint32(at + 42, true) + file.byteLength, true);
  }
  view.setUint32(end + 16, directory + file.byteLength, true);
  const whole = new Uint8Array(file.byteLength + zip.byteLength);
  whole.set(file);
  whole.set(zip, file.byteLength);
  return whole;
}

/** What a file says of itself, or null where it has no metadata. Every offset is checked. */
export function readMetadata(
  file: Uint8Array,
  model: TfliteModel,
): { name: string; description: string; version: string; labels: string[] } | null {
  const entry = model.metadata.find(({ name }) => name === ENTRY);
  const bytes = entry === undefined ? undefined : model.buffers[entry.buffer];
  if (bytes === undefined) return null;
  const root = TableCursor.root(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return {
    name: root.string(SLOTS.model.name),
    description: root.string(SLOTS.model.description),
    version: root.string(SLOTS.model.version),
    labels: labelsBehind(file),
  };
}

function labelsBehind(file: Uint8Array): string[] {
  try {
    const entry = unzipSync(file, {
      filter: ({ name, compression, size }) => name === LABELS_FILE && compression === 0 && size < 1 << 20,
    })[LABELS_FILE];
    return entry === undefined ? [] : new TextDecoder().decode(entry).trimEnd().split('\n');
  } catch {
    // No ZIP behind the flatbuffer: the file has no labels.
    return [];
  }
}
