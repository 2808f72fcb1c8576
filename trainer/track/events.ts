import { Message } from './protobuf.js';

/**
 * TensorBoard's messages, by the field numbers of its event.proto, summary.proto and tensor.proto. Scalars
 * are `simple_value`, which every reader of event files knows; all else are tensors with the plugin that
 * shows them.
 */

/** Seconds since 1970, and the step of what happened. */
export interface When {
  readonly wallTime: number;
  readonly step: number;
}

/** The first event of a file. */
export function versionEvent(wallTime: number): Uint8Array {
  return new Message().double(1, wallTime).bytes(3, 'brain.Event:2').encode();
}

/** An event with all of these values. */
export function summaryEvent({ wallTime, step }: When, values: readonly Message[]): Uint8Array {
  const summary = new Message();
  for (const value of values) summary.bytes(1, value);
  return new Message().double(1, wallTime).int(2, step).bytes(5, summary).encode();
}

export function scalar(tag: string, value: number): Message {
  return new Message().bytes(1, tag).float(2, value);
}

/** A table of Markdown texts, all rows as long as the first. */
export function textTable(tag: string, rows: readonly (readonly string[])[]): Message {
  const tensor = stringTensor([rows.length, rows[0]?.length ?? 0], rows.flat());
  return tensorValue(tag, tensor, { plugin: 'text', dataClass: DATA_CLASS.tensor });
}

/** An encoded picture (PNG, JPEG). */
export function picture(tag: string, width: number, height: number, encoded: Uint8Array): Message {
  const tensor = stringTensor([3], [String(width), String(height), encoded]);
  return tensorValue(tag, tensor, { plugin: 'images', dataClass: DATA_CLASS.blobs });
}

/** Buckets [k, 3] of left edge, right edge and count. */
export function histogram(tag: string, buckets: Float64Array): Message {
  const tensor = numberTensor(DATA_TYPE.double, [buckets.length / 3, 3], buckets);
  return tensorValue(tag, tensor, { plugin: 'histograms', dataClass: DATA_CLASS.tensor });
}

/** A curve [6, thresholds]: true and false positives, true and false negatives, precision, recall. */
export function precisionRecall(tag: string, curve: Float32Array): Message {
  const thresholds = curve.length / 6;
  const tensor = numberTensor(DATA_TYPE.float, [6, thresholds], curve);
  const content = new Message().int(2, thresholds);
  return tensorValue(tag, tensor, { plugin: 'pr_curves', content, dataClass: DATA_CLASS.tensor });
}

const DATA_TYPE = { float: 1, double: 2, string: 7 } as const;
const DATA_CLASS = { tensor: 2, blobs: 3 } as const;

interface Shown {
  readonly plugin: string;
  readonly content?: Message;
  readonly dataClass: number;
}

function tensorValue(tag: string, tensor: Message, { plugin, content, dataClass }: Shown): Message {
  const data = new Message().bytes(1, plugin);
  if (content !== undefined) data.bytes(2, content);
  const metadata = new Message().bytes(1, data).int(4, dataClass);
  return new Message().bytes(1, tag).bytes(8, tensor).bytes(9, metadata);
}

function tensorOf(type: number, shape: readonly number[]): Message {
  const dimensions = new Message();
  for (const size of shape) dimensions.bytes(2, new Message().int(1, size));
  return new Message().int(1, type).bytes(2, dimensions);
}

function stringTensor(shape: readonly number[], values: readonly (string | Uint8Array)[]): Message {
  const tensor = tensorOf(DATA_TYPE.string, shape);
  for (const value of values) tensor.bytes(8, value);
  return tensor;
}

/** Its values lie in it as they lie in memory: little-endian, as every machine that this runs on. */
function numberTensor(type: number, shape: readonly number[], values: Float32Array | Float64Array): Message {
  return tensorOf(type, shape).bytes(4, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
