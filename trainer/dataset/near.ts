import { setImmediate as breathe } from 'node:timers/promises';
import type { Label } from '@adbreak/shared/video/labels.js';
import { bitsIn, isNear, isSame, NEAR_RADIUS, type Signature } from './signature.js';
import { UnionFind } from './union-find.js';

/** Two hashes within the radius agree in at least one band, as there is one band more than bits that may differ. */
const BANDS = NEAR_RADIUS + 1;
const HASH_BITS = 64;
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
  const high = Uint32Array.from(pictures, ({ signature }) => signature.high);
  const low = Uint32Array.from(pictures, ({ signature }) => signature.low);
  const compare = (a: number, b: number) => {
    const [one, other] = [pictures[a], pictures[b]];
    if (one === undefined || other === undefined) return;
    if (near.find(a) !== near.find(b) && isNear(one.signature, other.signature)) near.union(a, b);
    if (one.label === other.label || (contradictions.has(a) && contradictions.has(b))) return;
    if (!isSame(one.signature, other.signature)) return;
    if (!contradictions.has(a)) contradictions.set(a, b);
    if (!contradictions.has(b)) contradictions.set(b, a);
  };
  let looks = 0;
  for (let band = 0; band < BANDS; band++)
    for (const bucket of bucketsOf(high, low, band))
      for (const [i, a] of bucket.entries()) {
        const [highA, lowA] = [high[a] ?? 0, low[a] ?? 0];
        for (let j = 0; j < i; j++) {
          const b = bucket[j] ?? 0;
          const apart = bitsIn(highA ^ (high[b] ?? 0)) + bitsIn(lowA ^ (low[b] ?? 0));
          if (apart <= NEAR_RADIUS) compare(a, b);
        }
        looks += i;
        if (looks < PAIRS_A_TURN) continue;
        looks = 0;
        await breathe();
        signal?.throwIfAborted();
      }
  return { near, contradictions };
}

function bucketsOf(high: Uint32Array, low: Uint32Array, band: number): Iterable<number[]> {
  const from = Math.floor((band * HASH_BITS) / BANDS);
  const width = Math.floor(((band + 1) * HASH_BITS) / BANDS) - from;
  const buckets = new Map<number, number[]>();
  for (let i = 0; i < low.length; i++) {
    const key = bitsFrom(high[i] ?? 0, low[i] ?? 0, from) & ((1 << width) - 1);
    const own = buckets.get(key);
    if (own === undefined) buckets.set(key, [i]);
    else own.push(i);
  }
  return buckets.values();
}

function bitsFrom(high: number, low: number, from: number): number {
  if (from >= 32) return high >>> (from - 32);
  return from === 0 ? low : (low >>> from) | (high << (32 - from));
}
