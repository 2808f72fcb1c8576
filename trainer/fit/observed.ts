import { join } from 'node:path';
import { z } from 'zod';
import type { Observed } from '../convert/in-two.js';
import { readSealed, writeSealed } from './sealed.js';

const count = z.int().positive().max(1_000_000);
/**
 * The body is float64: of each node smallest, largest and the channels' means; then the outputs, one after
 * another.
 */
const facts = z.strictObject({
  nodes: z.array(z.strictObject({ name: z.string().max(1000), channels: count })).max(10_000),
  outputs: count,
  width: count,
});
type Facts = z.infer<typeof facts>;

/**
 * What calibration saw, from the cache where it is whole there; else it is made and kept. Throws `disk_full`.
 */
export async function keptObserved(
  cache: string,
  key: string,
  make: () => Promise<Observed>,
): Promise<Observed> {
  const path = join(cache, `${key.slice(0, 32)}.observed`);
  const sealed = await readSealed(path, facts);
  const known = typeof sealed === 'string' ? null : unpacked(sealed.facts, sealed.body);
  if (known !== null) return known;
  const observed = await make();
  const packed = pack(observed);
  await writeSealed(path, packed.facts, new Uint8Array(packed.numbers.buffer));
  return observed;
}

function pack({ observations, outputs }: Observed): { facts: Facts; numbers: Float64Array } {
  const nodes = [...observations].map(([name, { channelMeans }]) => ({
    name,
    channels: channelMeans.length,
  }));
  const numbers = Float64Array.from([
    ...[...observations.values()].flatMap(({ range, channelMeans }) => [
      range.min,
      range.max,
      ...channelMeans,
    ]),
    ...outputs.flatMap((values) => [...values]),
  ]);
  return { facts: { nodes, outputs: outputs.length, width: outputs[0]?.length ?? 0 }, numbers };
}

/** Null where the numbers are not as many as the facts say. */
function unpacked({ nodes, outputs, width }: Facts, body: Uint8Array): Observed | null {
  const numbers = new Float64Array(Uint8Array.from(body.subarray(0, body.length - (body.length % 8))).buffer);
  const ofNodes = nodes.reduce((sum, { channels }) => sum + 2 + channels, 0);
  if (8 * (ofNodes + outputs * width) !== body.length) return null;
  let at = 0;
  const observations = new Map(
    nodes.map(({ name, channels }) => {
      const [min = 0, max = 0] = numbers.subarray(at, at + 2);
      const channelMeans = numbers.slice(at + 2, at + 2 + channels);
      at += 2 + channels;
      return [name, { range: { min, max }, channelMeans }];
    }),
  );
  const rows = Array.from({ length: outputs }, (_, i) =>
    Float32Array.from(numbers.subarray(ofNodes + i * width, ofNodes + (i + 1) * width)),
  );
  return { observations, outputs: rows };
}
