import { dirname, join, normalize } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { decodeElements, type WeightTensor } from './tensors.js';

const LIMIT = 512 * 1024 * 1024;
const entry = z.object({
  name: z.string().max(512),
  shape: z.array(z.number().int().nonnegative()).max(8),
  dtype: z.string().max(16),
  quantization: z
    .object({
      dtype: z.enum(['uint8', 'uint16', 'float16']),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .optional(),
});
const manifest = z.object({
  weightsManifest: z
    .array(z.object({ paths: z.array(z.string().max(255)).max(1000), weights: z.array(entry).max(10_000) }))
    .max(100),
});
type Entry = z.infer<typeof entry>;

/** A tfjs LayersModel: `model.json` beside its shards. Weights by `layer/role` in the order of the layers, quantized ones widened. */
export async function readTfjsLayers(path: string): Promise<Map<string, WeightTensor>> {
  const broken = (why: string) =>
    new AdbreakError('input_invalid', `Cannot read the weights of ${path}: ${why}`);
  const text = await readLimited(path, 64 * 1024 * 1024);
  if (text === undefined)
    throw new AdbreakError('not_found', `Cannot read the weights: ${path} does not exist`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(text));
  } catch {
    throw broken('it is no JSON');
  }
  const parsed = manifest.safeParse(json);
  if (!parsed.success)
    throw broken(
      `it is no tfjs model: ${parsed.error.issues[0]?.path.join('.')} ${parsed.error.issues[0]?.message}`,
    );
  const tensors = new Map<string, WeightTensor>();
  for (const { paths, weights } of parsed.data.weightsManifest) {
    const shards = [];
    for (const shard of paths) {
      const inside = normalize(shard);
      if (inside.startsWith('..') || inside.startsWith('/'))
        throw broken(`shard ${shard} lies outside its folder`);
      const bytes = await readLimited(join(dirname(path), inside), LIMIT);
      if (bytes === undefined) throw broken(`shard ${shard} does not exist`);
      shards.push(bytes);
    }
    const data = Buffer.concat(shards);
    let at = 0;
    for (const weight of weights) {
      const count = weight.shape.reduce((product, size) => product * size, 1);
      const size = count * bytesOf(weight, broken);
      if (!(at + size <= data.byteLength))
        throw broken(`tensor ${weight.name} ends at ${at + size}, the shards have ${data.byteLength} bytes`);
      tensors.set(weight.name, { shape: weight.shape, data: decode(weight, data.subarray(at, at + size)) });
      at += size;
    }
  }
  return tensors;
}

function bytesOf({ name, dtype, quantization }: Entry, broken: (why: string) => AdbreakError): number {
  if (dtype !== 'float32') throw broken(`tensor ${name} has type ${dtype}; float32 is read`);
  if (quantization === undefined) return 4;
  return quantization.dtype === 'uint8' ? 1 : 2;
}

function decode({ quantization }: Entry, bytes: Uint8Array): Float32Array {
  if (quantization === undefined) return decodeElements('F32', bytes);
  if (quantization.dtype === 'float16') return decodeElements('F16', bytes);
  const { scale = 1, min = 0 } = quantization;
  const codes = quantization.dtype === 'uint8' ? bytes : new Uint16Array(Uint8Array.from(bytes).buffer);
  return Float32Array.from(codes, (code: number) => code * scale + min);
}
