import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { decodeElements, ELEMENT_BYTES, type ElementType, type WeightTensor } from './tensors.js';

const MOST_HEADER_BYTES = 16 * 1024 * 1024;
const TYPES = Object.keys(ELEMENT_BYTES).filter((type): type is ElementType =>
  Object.hasOwn(ELEMENT_BYTES, type),
);
const natural = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const header = z.record(
  z.string().max(1024),
  z.union([
    z.object({
      dtype: z.string().max(16),
      shape: z.array(natural).max(8),
      data_offsets: z.tuple([natural, natural]),
    }),
    z.record(z.string(), z.string()),
  ]),
);

/** safetensors: u64 length of a JSON header, the header, the bytes. https://huggingface.co/docs/safetensors */
export function readSafetensors(file: Uint8Array): Map<string, WeightTensor> {
  const broken = (why: string) =>
    new AdbreakError('input_invalid', `Cannot read the weights as safetensors: ${why}`);
  if (file.byteLength < 8) throw broken(`the file has ${file.byteLength} bytes`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(MOST_HEADER_BYTES, file.byteLength - 8)))
    throw broken(`its header claims ${length} bytes at offset 0`);
  const start = 8 + Number(length);
  const parsed = header.safeParse(parseJson(new TextDecoder().decode(file.subarray(8, start)), broken));
  if (!parsed.success)
    throw broken(
      `its header is not one: ${parsed.error.issues[0]?.path.join('.')} ${parsed.error.issues[0]?.message}`,
    );
  const tensors = new Map<string, WeightTensor>();
  let bytes = 0;
  for (const [name, entry] of Object.entries(parsed.data)) {
    if (
      name === '__metadata__' ||
      !('data_offsets' in entry) ||
      typeof entry.data_offsets === 'string' ||
      typeof entry.shape === 'string'
    )
      continue;
    const [from, to] = entry.data_offsets;
    const type = TYPES.find((known) => known === entry.dtype);
    if (type === undefined)
      throw broken(`tensor ${name} has type ${entry.dtype}; ${TYPES.join(', ')} are read`);
    const count = entry.shape.reduce((product, size) => product * size, 1);
    if (from > to || start + to > file.byteLength || (to - from) / ELEMENT_BYTES[type] !== count) {
      throw broken(
        `tensor ${name} of type ${type} and shape [${entry.shape.join()}] does not lie at offsets ${from} to ${to} of ${file.byteLength - start} bytes`,
      );
    }
    // Tensors that share bytes could ask for any amount of memory; the format has none.
    bytes += to - from;
    if (start + bytes > file.byteLength) throw broken(`tensor ${name} lies where others lie`);
    tensors.set(name, {
      shape: entry.shape,
      data: decodeElements(type, file.subarray(start + from, start + to)),
    });
  }
  return tensors;
}

function parseJson(text: string, broken: (why: string) => AdbreakError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw broken('its header is no JSON');
  }
}

/** What a file that `readSafetensors` takes says of itself, beside its tensors. */
export function safetensorsMetadata(file: Uint8Array): Readonly<Record<string, string>> {
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  const parsed = header.safeParse(JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))));
  const metadata = z.record(z.string(), z.string()).safeParse(parsed.data?.['__metadata__']);
  return metadata.success ? metadata.data : {};
}

/** Float32 tensors in the order of the map, the header padded so that values lie at multiples of eight. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    entries[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = JSON.stringify(entries);
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(text, 8);
  let at = 8 + padded;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
