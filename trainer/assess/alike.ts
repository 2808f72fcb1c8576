import { distance } from '../dataset/signature.js';
import type { ScoredSample, Split } from '../ports.js';

/**
 * Pictures of two splits that are not strangers to each other: metrics on the second then promise too much.
 */
export interface Alikeness {
  readonly splits: readonly [Split, Split];
  /**
   * The second split's groups (recordings, scenes, sets of near-duplicates) that the first has too, if in
   * part.
   */
  readonly groups: readonly string[];
  /**
   * Share of the second split's pictures that are in such a group, or as good as one of the first split's.
   */
  readonly share: number;
}
export type Splits = Readonly<Partial<Record<Split, readonly ScoredSample[]>>>;
/** 64 bits of what a picture looks like, in two halves. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}
/** Hashes of a split's pictures, in the order of its samples. */
export type Fingerprints = Readonly<Partial<Record<Split, readonly Hash[]>>>;

const PAIRS = [
  ['train', 'val'],
  ['train', 'test'],
  ['val', 'test'],
] as const satisfies readonly (readonly [Split, Split])[];
/** Pictures that differ in so many of 64 bits are the same one in another size or quality. */
const NEAR_BITS = 5;
/** What two splits share by chance (black pictures, idents) is under this. */
const BY_CHANCE = 0.02;

/** The pairs of splits that are alike: by their groups, and by their fingerprints where there are any. */
export function alikeSplits(splits: Splits, fingerprints: Fingerprints = {}): Alikeness[] {
  return PAIRS.flatMap(([a, b]) => {
    const [first, second] = [splits[a] ?? [], splits[b] ?? []];
    if (second.length === 0) return [];
    const known = new Set(first.flatMap(placesOf));
    const isKnown = (sample: ScoredSample) => placesOf(sample).some((place) => known.has(place));
    const near = nearDuplicates(fingerprints[a] ?? [], fingerprints[b] ?? []);
    const shared = second.filter((sample, i) => isKnown(sample) || near[i] === true);
    const groups = [...new Set(second.filter(isKnown).map(({ group }) => group))];
    const share = shared.length / second.length;
    return groups.length > 0 || share > BY_CHANCE ? [{ splits: [a, b] as const, groups, share }] : [];
  });
}

/** What two splits must not both have: a group, and a recording of which each has a part. */
function placesOf({ group, picture }: ScoredSample): string[] {
  return picture.at === null ? [`group ${group}`] : [`group ${group}`, `recording ${picture.path}`];
}

/**
 * For each of `second` whether one of `first` differs in few enough bits. One of eight bytes of a hash is
 * then the same (pigeonhole), so that only hashes that share a byte in its place are compared. Flat pictures
 * (black, white) are nobody's duplicate.
 */
function nearDuplicates(first: readonly Hash[], second: readonly Hash[]): boolean[] {
  const byByte = new Map<number, Hash[]>();
  const known = new Set<string>();
  for (const hash of first) {
    const name = `${hash.high} ${hash.low}`;
    if (isFlat(hash) || known.has(name)) continue;
    known.add(name);
    for (const key of bytesOf(hash)) {
      const bucket = byByte.get(key);
      if (bucket === undefined) byByte.set(key, [hash]);
      else bucket.push(hash);
    }
  }
  const isNear = (hash: Hash) =>
    bytesOf(hash).some((key) => byByte.get(key)?.some((other) => distance(hash, other) <= NEAR_BITS));
  return second.map((hash) => !isFlat(hash) && isNear(hash));
}

function isFlat({ high, low }: Hash): boolean {
  return high === 0 && low === 0;
}
/** Each byte of a hash with its place, as one number. */
function bytesOf({ high, low }: Hash): number[] {
  return Array.from({ length: 8 }, (_, i) => {
    const half = i < 4 ? high : low;
    return i * 256 + ((half >>> (8 * (i % 4))) & 255);
  });
}

const [COLUMNS, ROWS] = [9, 8];
/** Steps of luma under which two neighbouring tiles count as equal: the noise of a codec. */
const FLAT = 2;

/**
 * Difference hash: of 9 x 8 tiles, whether each is brighter than its neighbour to the right. A flat picture
 * has 0.
 */
export function differenceHash(pixels: Uint8Array, width: number, height: number): Hash {
  const luma = tiles(pixels, width, height);
  const halves = [0, 0];
  for (let y = 0; y < ROWS; y++)
    for (let x = 0; x < COLUMNS - 1; x++) {
      const step = (luma[y * COLUMNS + x] ?? 0) - (luma[y * COLUMNS + x + 1] ?? 0);
      const half = y < ROWS / 2 ? 0 : 1;
      halves[half] = (((halves[half] ?? 0) << 1) | Number(step > FLAT)) >>> 0;
    }
  const [high = 0, low = 0] = halves;
  return { high, low };
}

/** Mean luma (ITU-R BT.601) of each tile; every second pixel of every second row is enough. */
function tiles(pixels: Uint8Array, width: number, height: number): Float64Array {
  const [sums, counts] = [new Float64Array(COLUMNS * ROWS), new Float64Array(COLUMNS * ROWS)];
  for (let y = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2) {
      const tile = Math.floor((y * ROWS) / height) * COLUMNS + Math.floor((x * COLUMNS) / width);
      const at = (y * width + x) * 3;
      const [r, g, b] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
      sums[tile] = (sums[tile] ?? 0) + 0.299 * r + 0.587 * g + 0.114 * b;
      counts[tile] = (counts[tile] ?? 0) + 1;
    }
  return sums.map((sum, i) => sum / Math.max(1, counts[i] ?? 0));
}
