import { AdbreakError } from '@adbreak/shared/errors.js';
import { unzipSync } from 'fflate';
import { isRebuilt, PickleReader, type Rebuilt, type Value } from './pickle.js';
import { decodeElements, ELEMENT_BYTES, type ElementType, type WeightTensor } from './tensors.js';

const LIMIT = 512 * 1024 * 1024;
const ELEMENTS: Record<string, ElementType> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
};
/** Names under which training scripts put the state dict, and prefixes that wrappers leave. */
const NESTED = ['state_dict', 'model', 'state_dict_ema', 'model_state_dict'];
const WRAPPERS = /^(?:module\.|_orig_mod\.)+/;

/**
 * A state dict in torch's format before 1.6: pickles of a magic number, a protocol number and system facts, then the
 * state dict with persistent ids, the list of storage keys, and per storage an int64 count with its raw values.
 * Nothing in the pickle is executed: only the opcodes that such files hold are known, everything else is refused.
 */
export function readTorchLegacy(file: Uint8Array): Map<string, WeightTensor> {
  const pickle = new PickleReader(file);
  pickle.load();
  pickle.load();
  pickle.load();
  const tensors = tensorsIn(pickle.load(), pickle);
  const keys = pickle.load();
  if (!Array.isArray(keys)) throw pickle.broken('it holds no list of storages');
  const kinds = new Map(tensors.map(([, { storage }]) => [storage.key, storage.kind]));
  const storages = new Map<string, Float32Array>();
  for (const key of keys.map(String)) {
    const type = elementType(kinds.get(key) ?? 'FloatStorage', pickle);
    const count = pickle.int64();
    storages.set(key, decodeElements(type, pickle.bytes(count * ELEMENT_BYTES[type])));
  }
  return new Map(
    tensors.map(([name, tensor]) => [name, contiguous(name, tensor, storages.get(tensor.storage.key))]),
  );
}

/** A state dict as torch has written it since 1.6: a ZIP of NAME/data.pkl and the storages as NAME/data/KEY, all of it stored. */
export function readTorchZip(file: Uint8Array): Map<string, WeightTensor> {
  const entries = storedEntries(file);
  const index = Object.keys(entries).find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  const root = index?.slice(0, -'data.pkl'.length) ?? '';
  const pickle = new PickleReader(entries[index ?? ''] ?? new Uint8Array(0));
  if (index === undefined) throw pickle.broken('the archive holds no data.pkl');
  const order = entries[`${root}byteorder`];
  if (order !== undefined && new TextDecoder().decode(order) !== 'little')
    throw pickle.broken('its bytes are not little-endian');
  const decoded = new Map<string, Float32Array>();
  return new Map(
    tensorsIn(pickle.load(), pickle).map(([name, tensor]) => {
      const { key, kind } = tensor.storage;
      const entry = Object.hasOwn(entries, `${root}data/${key}`) ? entries[`${root}data/${key}`] : undefined;
      if (entry !== undefined && !decoded.has(key))
        decoded.set(key, decodeElements(elementType(kind, pickle), entry));
      return [name, contiguous(name, tensor, decoded.get(key))];
    }),
  );
}

function storedEntries(file: Uint8Array): Record<string, Uint8Array> {
  try {
    // torch stores its entries; one that claims to be compressed could ask for any amount of memory.
    return unzipSync(file, {
      filter: ({ compression, size, originalSize }) =>
        compression === 0 && size === originalSize && size <= file.byteLength,
    });
  } catch (cause) {
    throw new AdbreakError(
      'input_invalid',
      'Cannot read the weights: it starts like a torch archive and is none',
      { cause },
    );
  }
}

function elementType(kind: string, pickle: PickleReader): ElementType {
  const type = Object.hasOwn(ELEMENTS, kind) ? ELEMENTS[kind] : undefined;
  if (type === undefined)
    throw pickle.broken(`storage of type ${kind}; ${Object.keys(ELEMENTS).join(', ')} are read`);
  return type;
}

function tensorsIn(state: Value, pickle: PickleReader): [string, Rebuilt][] {
  if (!(state instanceof Map)) throw pickle.broken('it holds no state dict');
  const inner = NESTED.map((name) => state.get(name)).find((value) => value instanceof Map);
  const tensors = [...(inner instanceof Map ? inner : state)].filter(
    (entry): entry is [string, Rebuilt] => typeof entry[0] === 'string' && isRebuilt(entry[1]),
  );
  if (tensors.length === 0) throw pickle.broken('it holds no tensor');
  // Views of one storage are copied: a small file could ask for any amount of memory.
  const values = tensors.reduce(
    (sum, [, { shape }]) => sum + shape.reduce((size, side) => size * side, 1),
    0,
  );
  if (values > LIMIT / 4)
    throw pickle.broken(`its tensors have ${values} values, at most ${LIMIT / 4} are read`);
  return tensors.map(([name, tensor]) => [name.replace(WRAPPERS, ''), tensor]);
}

/** Tensors in such files may be transposed views: their strides are not those of their shape. */
function contiguous(
  name: string,
  { shape, strides, offset }: Rebuilt,
  storage: Float32Array | undefined,
): WeightTensor {
  const sound =
    [...shape, ...strides, offset].every((value) => Number.isSafeInteger(value) && value >= 0) &&
    shape.length === strides.length;
  const count = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (
    !sound ||
    storage === undefined ||
    count > storage.length ||
    count > LIMIT / 4 ||
    (count > 0 && last >= storage.length)
  ) {
    throw new AdbreakError(
      'input_invalid',
      `Cannot read the weights: tensor ${name} of shape [${shape.join()}] reaches outside its storage`,
    );
  }
  const data = new Float32Array(count);
  const index = shape.map(() => 0);
  for (let i = 0, at = offset; i < count; i++) {
    data[i] = storage[at] ?? 0;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      const wraps = next >= (shape[axis] ?? 1);
      at += (strides[axis] ?? 0) * (wraps ? 1 - next : 1);
      index[axis] = wraps ? 0 : next;
      if (!wraps) break;
    }
  }
  return { shape, data };
}
