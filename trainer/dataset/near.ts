import { setImmediate as breathe } from 'node:timers/promises';
import { bitsIn } from '@adbreak/shared/bits.js';
import { UnionFind } from '@adbreak/shared/union-find.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { isNear, isSame, NEAR_RADIUS, type Signature } from './signature.js';

interface Band {
  /** Its lowest bit. */
  readonly from: number;
  readonly mask: number;
}
const HASH_BITS = 64;
/** Two hashes within the radius agree in at least one band, as there is one band more than bits that may differ. */
const BANDS: readonly Band[] = Array.from({ length: NEAR_RADIUS + 1 }, (_, band) => {
  const edge = (index: number) => Math.floor((index * HASH_BITS) / (NEAR_RADIUS + 1));
  return { from: edge(band), mask: (1 << (edge(band + 1) - edge(band))) - 1 };
});
/** Pairs looked at in a row, some hundredths of a second; then signals and timers have their turn. */
const PAIRS_A_TURN = 1 << 23;

export interface LabelledSignature {
  readonly label: Label;
  readonly signature: Signature;
}
export interface Likeness {
  /** Near-duplicates, and what hangs together by them. */
  readonly near: UnionFind;
  /** Pictures that are there once more under the other label, by index: the first such one found for each. */
  readonly contradictions: ReadonlyMap<number, number>;
}

/**
 * Finds all near-duplicates. Hashes are put into buckets by each of nine bands of seven or eight bits, and only what shares a
 * bucket is compared (the pigeonhole principle): none is missed, and 50,000 pictures take seconds.
 */
export async function likenessOf(
  pictures: readonly LabelledSignature[],
  signal?: AbortSignal,
): Promise<Likeness> {
  const near = new UnionFind(pictures.length);
  const contradictions = new Map<number, number>();
  const compare = (a: number, b: number) => {
    const [one, other] = [pictures[a], pictures[b]];
    if (one === undefined || other === undefined) return;
    if (near.find(a) !== near.find(b) && isNear(one.signature, other.signature)) near.union(a, b);
    if (one.label === other.label || (contradictions.has(a) && contradictions.has(b))) return;
    if (!isSame(one.signature, other.signature)) return;
    if (!contradictions.has(a)) contradictions.set(a, b);
    if (!contradictions.has(b)) contradictions.set(b, a);
  };
  await closePairs(
    Uint32Array.from(pictures, ({ signature }) => signature.high),
    Uint32Array.from(pictures, ({ signature }) => signature.low),
    compare,
    signal,
  );
  return { near, contradictions };
}

/** Gives every pair of hashes within the radius, once. */
async function closePairs(
  high: Uint32Array,
  low: Uint32Array,
  onPair: (a: number, b: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  let looks = 0;
  for (const [index, band] of BANDS.entries())
    for (const bucket of bucketsOf(high, low, band))
      for (const [i, a] of bucket.entries()) {
        const [highA, lowA] = [high[a] ?? 0, low[a] ?? 0];
        for (let j = 0; j < i; j++) {
          const b = bucket[j] ?? 0;
          const [highX, lowX] = [highA ^ (high[b] ?? 0), lowA ^ (low[b] ?? 0)];
          if (bitsIn(highX) + bitsIn(lowX) <= NEAR_RADIUS && !agreeBefore(index, highX, lowX)) onPair(a, b);
        }
        looks += i;
        if (looks < PAIRS_A_TURN) continue;
        looks = 0;
        await breathe();
        signal?.throwIfAborted();
      }
}

/** Whether two hashes, by the bits in which they differ, met in a bucket of an earlier band already. */
function agreeBefore(index: number, highX: number, lowX: number): boolean {
  for (let k = 0; k < index; k++) {
    const band = BANDS[k];
    if (band !== undefined && keyOf(highX, lowX, band) === 0) return true;
  }
  return false;
}

function bucketsOf(high: Uint32Array, low: Uint32Array, band: Band): Iterable<number[]> {
  const buckets = new Map<number, number[]>();
  for (let i = 0; i < low.length; i++) {
    const key = keyOf(high[i] ?? 0, low[i] ?? 0, band);
    const own = buckets.get(key);
    if (own === undefined) buckets.set(key, [i]);
    else own.push(i);
  }
  return buckets.values();
}

/** A hash's bits in a band. */
function keyOf(high: number, low: number, { from, mask }: Band): number {
  return bitsFrom(high, low, from) & mask;
}

function bitsFrom(high: number, low: number, from: number): number {
  if (from >= 32) return high >>> (from - 32);
  return from === 0 ? low : (low >>> from) | (high << (32 - from));
}
