import { bitsIn } from '@adbreak/shared/bits.js';

/** Pictures are compared at this size: a column more than bits a row, for each bit is a step to the right. */
export const THUMB = { width: 9, height: 8 } as const;
const THUMB_BYTES = THUMB.width * THUMB.height * 3;

/** Near-duplicates differ in at most so many of the 64 bits: another encoder, size, brightness, a logo more. */
export const NEAR_RADIUS = 8;
/** Neighbours in a row of frames differ in at most so many bits while a scene lasts; 32 would be chance. */
const SCENE_RADIUS = 16;
/** One picture twice: what re-encoding alone changes. */
const SAME_RADIUS = 4;
const SAME_LEVELS = 4;
/** A smaller step from one cell to the next is noise, not an edge: flat pictures have no bits at all. */
const EDGE_LEVELS = 2;

/**
 * What two pictures are compared by: a difference hash (64 bits: is a cell brighter than its left neighbour?), which outlasts
 * re-encoding and scaling, and the thumbnail it is made of, for what a hash of edges cannot tell apart.
 */
export interface Signature {
  /** Bits 63 to 32 and 31 to 0 of the hash. */
  readonly high: number;
  readonly low: number;
  /** RGB of 9 x 8 cells. */
  readonly thumb: Uint8Array;
  /** Standard deviation of the thumbnail's luma, in levels of 0 to 255. */
  readonly contrast: number;
}

/** Of RGB24 pixels of the size THUMB. */
export function signatureOf(thumb: Uint8Array): Signature {
  if (thumb.length !== THUMB_BYTES)
    throw new RangeError(`A thumbnail must have ${THUMB_BYTES} bytes: current value is ${thumb.length}`);
  const luma = Float32Array.from({ length: THUMB.width * THUMB.height }, (_, i) => {
    const [red = 0, green = 0, blue = 0] = thumb.subarray(3 * i, 3 * i + 3);
    // ITU-R BT.601.
    return 0.299 * red + 0.587 * green + 0.114 * blue;
  });
  const words = new Uint32Array(2);
  let bit = 0;
  for (let y = 0; y < THUMB.height; y++)
    for (let x = 0; x + 1 < THUMB.width; x++, bit++) {
      const at = y * THUMB.width + x;
      if ((luma[at + 1] ?? 0) - (luma[at] ?? 0) > EDGE_LEVELS)
        words[bit >> 5] = (words[bit >> 5] ?? 0) | (1 << (bit & 31));
    }
  const mean = luma.reduce((sum, value) => sum + value, 0) / luma.length;
  const variance = luma.reduce((sum, value) => sum + (value - mean) ** 2, 0) / luma.length;
  const [low = 0, high = 0] = words;
  return { high, low, thumb, contrast: Math.sqrt(variance) };
}

/** In how many of the 64 bits two hashes differ. */
export function distance(a: Pick<Signature, 'high' | 'low'>, b: Pick<Signature, 'high' | 'low'>): number {
  return bitsIn(a.high ^ b.high) + bitsIn(a.low ^ b.low);
}

/** A picture and what a copy of it may look like. Pictures without contrast are alike in little else than their brightness. */
export function isNear(a: Signature, b: Signature): boolean {
  if (distance(a, b) > NEAR_RADIUS) return false;
  const allowed = Math.min(12, Math.max(2, Math.min(a.contrast, b.contrast) / 4));
  return levelsApart(a.thumb, b.thumb) <= allowed;
}

/** One picture, encoded twice. */
export function isSame(a: Signature, b: Signature): boolean {
  return isNear(a, b) && distance(a, b) <= SAME_RADIUS && levelsApart(a.thumb, b.thumb) <= SAME_LEVELS;
}

/** Whether a frame may follow another within one scene. */
export function mayFollow(a: Signature, b: Signature): boolean {
  return distance(a, b) <= SCENE_RADIUS;
}

/** Mean absolute difference over cells and colours. */
function levelsApart(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] ?? 0) - (b[i] ?? 0));
  return sum / a.length;
}
