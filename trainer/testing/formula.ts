import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { WeightTensor } from '../weights/tensors.js';

const network = z.object({
  parameters: z.number(),
  tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
  output: z.array(z.number()),
});
export type GoldenNetwork = z.infer<typeof network>;

/** Keras's outputs for networks whose weights follow from a formula; scripts/reference/golden.py made the file. */
export function goldenNetworks(): Record<string, GoldenNetwork> {
  const { madeBy: _, ...networks } = z
    .object({ madeBy: z.string() })
    .catchall(network)
    .parse(JSON.parse(readFileSync(new URL('../../testing/golden.json', import.meta.url), 'utf8')));
  return networks;
}

/** The weights of a golden network under Keras's names, in its order. */
export function formulaTensors({ tensors }: GoldenNetwork): Map<string, WeightTensor> {
  return new Map(
    tensors.map(([name, shape], index) => [
      name,
      { shape, data: values(name.split('/').at(-1) ?? '', shape, index) },
    ]),
  );
}

/** scripts/reference/golden.py computes the same. */
function values(role: string, shape: readonly number[], tensor: number): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const last = shape.at(-1) ?? 1;
  const fanIn = last > 1 ? data.length / last : (shape[0] ?? 1) * (shape[1] ?? 1);
  for (let i = 0; i < data.length; i++) {
    const noise = Math.sin(i * 12.9898 + tensor * 78.233) * 43758.5453;
    const uniform = 2 * (noise - Math.floor(noise)) - 1;
    if (role === 'gamma' || role === 'moving_variance') data[i] = 1 + 0.3 * uniform;
    else if (role === 'beta' || role === 'moving_mean' || role === 'bias') data[i] = 0.1 * uniform;
    else data[i] = uniform * Math.sqrt(6 / fanIn);
  }
  return data;
}

export function formulaImage(size: number): Float32Array {
  const image = new Float32Array(size * size * 3);
  for (let i = 0; i < image.length; i++) image[i] = Math.sin(i * 0.013) * Math.cos(i * 0.0007);
  return image;
}
