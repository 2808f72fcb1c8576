import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { readKerasH5 } from './keras-h5.js';
import { readSafetensors } from './safetensors.js';
import type { WeightTensor } from './tensors.js';
import { readTfjsLayers } from './tfjs-layers.js';
import { readTorchLegacy, readTorchZip } from './torch.js';

export type WeightFormat =
  | 'safetensors'
  | 'torch (zip)'
  | 'torch (legacy)'
  | 'Keras HDF5'
  | 'tfjs LayersModel';
export interface WeightFile {
  readonly format: WeightFormat;
  /** In the file's order. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

const LIMIT = 1024 * 1024 * 1024;
const startsWith = (bytes: Uint8Array, ...start: number[]) => start.every((value, i) => bytes[i] === value);

/** Reads weights in any of the formats, told apart by their first bytes. Throws `not_found`, or `input_invalid` that names the tensor or offset. */
export async function readWeights(path: string): Promise<WeightFile> {
  if (path.endsWith('.json')) return { format: 'tfjs LayersModel', tensors: await readTfjsLayers(path) };
  const file = await readLimited(path, LIMIT);
  if (file === undefined)
    throw new AdbreakError('not_found', `Cannot read the weights: ${path} does not exist`);
  return readWeightBytes(file);
}

export async function readWeightBytes(file: Uint8Array): Promise<WeightFile> {
  if (startsWith(file, 0x89, 0x48, 0x44, 0x46))
    return { format: 'Keras HDF5', tensors: await readKerasH5(file) };
  if (startsWith(file, 0x50, 0x4b, 0x03, 0x04)) return { format: 'torch (zip)', tensors: readTorchZip(file) };
  if (startsWith(file, 0x80, 0x02)) return { format: 'torch (legacy)', tensors: readTorchLegacy(file) };
  if (file[8] === 0x7b) return { format: 'safetensors', tensors: readSafetensors(file) };
  throw new AdbreakError(
    'input_invalid',
    'Cannot read the weights: the file is neither safetensors, nor a torch checkpoint, nor Keras HDF5, nor a tfjs model.json',
  );
}
