import { Bars, type Rectangle } from './bars.js';
import type { Word } from './words.js';

/** Pictures are looked at in grey, squeezed to a square of so many cells. */
export const THUMB = 64;
const GRID = 32;
/** Cosines across and down: the 64 lowest without the mean are 63 bits. */
const WAVES = 8;
const BITS = WAVES * WAVES - 1;
/** Spread of the cells, levels of 255, below which a picture is flat: noise would make its bits. */
const FLAT = 3;
/** Black is 0; 16 in video range, 30 where that was squeezed twice, and lighter where gamma was shifted. */
const DARK = 64;
/** Cells of a black picture that may be lit: a logo is. The others are alike, levels. */
const LIT_SHARE = 0.04;
const BLACK_SPREAD = 5;
/** A cosine's amplitude, of the spread of the picture, which noise does not turn. */
const SURE = 0.25;

export interface PictureWord extends Word {
  /** Seconds. */
  readonly time: number;
  /** Nothing in it: its bits mean nothing. */
  readonly isFlat: boolean;
  readonly isBlack: boolean;
  /** Mean difference of cells to the picture before, levels. */
  readonly change: number;
}

/**
 * Pictures as words of 63 bits: the signs of the lowest cosines of the picture without its bars (a perceptual hash). They
 * do not know brightness, contrast or gamma, and a logo turns few.
 */
export class PictureWords {
  readonly #bars = new Bars(THUMB);
  #before: Float32Array | null = null;

  /** `thumb`: THUMB x THUMB grey levels, rows from the top. */
  push(time: number, thumb: Uint8Array): PictureWord {
    const cells = cropped(thumb, this.#bars.look(time, thumb));
    const spread = spreadOf(cells);
    const waves = wavesOf(cells);
    const sureness = new Float32Array(BITS);
    let [low, high] = [0, 0];
    for (let bit = 0; bit < BITS; bit++) {
      const wave = waves[ORDER[bit] ?? 0] ?? 0;
      if (wave > 0 && bit < 32) low |= 1 << bit;
      if (wave > 0 && bit >= 32) high |= 1 << (bit - 32);
      sureness[bit] = Math.min(1, Math.abs(wave) / (SURE * Math.max(1, spread)));
    }
    const change = this.#before === null ? 0 : differenceOf(cells, this.#before);
    this.#before = cells;
    const black = isBlack(cells);
    return {
      time,
      low: low >>> 0,
      high: high >>> 0,
      sureness,
      isFlat: black || spread < FLAT,
      isBlack: black,
      change,
    };
  }
}

/** A model's picture (RGB24, any size at least that of the square) as the square of grey cells. */
export function thumbOf(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const thumb = new Uint8Array(THUMB * THUMB);
  for (let y = 0; y < THUMB; y++)
    for (let x = 0; x < THUMB; x++) thumb[y * THUMB + x] = greyOf(rgb, width, height, x, y);
  return thumb;
}

function greyOf(rgb: Uint8Array, width: number, height: number, x: number, y: number): number {
  const [left, right] = [Math.floor((x * width) / THUMB), Math.ceil(((x + 1) * width) / THUMB)];
  const [top, bottom] = [Math.floor((y * height) / THUMB), Math.ceil(((y + 1) * height) / THUMB)];
  let sum = 0;
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++) {
      const at = 3 * (row * width + column);
      // ITU-R BT.601.
      sum += 0.299 * (rgb[at] ?? 0) + 0.587 * (rgb[at + 1] ?? 0) + 0.114 * (rgb[at + 2] ?? 0);
    }
  return Math.round(sum / ((right - left) * (bottom - top)));
}

/** What is between the bars, stretched over GRID x GRID cells: means of what each covers. */
function cropped(thumb: Uint8Array, { left, top, right, bottom }: Rectangle): Float32Array {
  const across = sharesOf(left, right);
  const down = sharesOf(top, bottom);
  const rows = new Float32Array(GRID * THUMB);
  for (let y = 0; y < GRID; y++)
    for (const { at, share } of down[y] ?? [])
      for (let x = 0; x < THUMB; x++)
        rows[y * THUMB + x] = (rows[y * THUMB + x] ?? 0) + share * (thumb[at * THUMB + x] ?? 0);
  const cells = new Float32Array(GRID * GRID);
  for (let x = 0; x < GRID; x++)
    for (const { at, share } of across[x] ?? [])
      for (let y = 0; y < GRID; y++)
        cells[y * GRID + x] = (cells[y * GRID + x] ?? 0) + share * (rows[y * THUMB + at] ?? 0);
  return cells;
}

interface Share {
  readonly at: number;
  readonly share: number;
}
const SHARES = new Map<number, readonly (readonly Share[])[]>();

/** Which of the square's columns make each cell of [from, to), and how much of each. */
function sharesOf(from: number, to: number): readonly (readonly Share[])[] {
  const key = from * (THUMB + 1) + to;
  const known = SHARES.get(key);
  if (known !== undefined) return known;
  const size = (to - from) / GRID;
  const shares = Array.from({ length: GRID }, (_, cell) => {
    const [start, end] = [from + cell * size, from + (cell + 1) * size];
    const own: Share[] = [];
    for (let at = Math.floor(start); at < end; at++)
      own.push({ at, share: (Math.min(end, at + 1) - Math.max(start, at)) / size });
    return own;
  });
  SHARES.set(key, shares);
  return shares;
}

/** The lowest WAVES x WAVES cosines of GRID x GRID cells (discrete cosine transform, type 2). */
function wavesOf(cells: Float32Array): Float64Array {
  const rows = new Float64Array(WAVES * GRID);
  for (let u = 0; u < WAVES; u++)
    for (let y = 0; y < GRID; y++) {
      let sum = 0;
      for (let x = 0; x < GRID; x++) sum += (cells[y * GRID + x] ?? 0) * (COSINES[u * GRID + x] ?? 0);
      rows[u * GRID + y] = sum;
    }
  const waves = new Float64Array(WAVES * WAVES);
  for (let v = 0; v < WAVES; v++)
    for (let u = 0; u < WAVES; u++) {
      let sum = 0;
      for (let y = 0; y < GRID; y++) sum += (rows[u * GRID + y] ?? 0) * (COSINES[v * GRID + y] ?? 0);
      waves[v * WAVES + u] = (2 * sum) / (GRID * GRID);
    }
  return waves;
}

const COSINES = Float64Array.from({ length: WAVES * GRID }, (_, i) =>
  Math.cos((Math.PI * Math.floor(i / GRID) * (2 * (i % GRID) + 1)) / (2 * GRID)),
);
/** Places of the waves, the longest first, without the mean: what a key is made of is what changes least. */
const ORDER = Array.from({ length: WAVES * WAVES }, (_, place) => place)
  .sort((a, b) => lengthOf(a) - lengthOf(b) || a - b)
  .slice(1);

function lengthOf(place: number): number {
  return Math.floor(place / WAVES) ** 2 + (place % WAVES) ** 2;
}

/** Standard deviation. */
function spreadOf(cells: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const cell of cells) {
    sum += cell;
    squares += cell * cell;
  }
  const mean = sum / cells.length;
  return Math.sqrt(Math.max(0, squares / cells.length - mean * mean));
}

function differenceOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] ?? 0) - (b[i] ?? 0));
  return sum / a.length;
}

function isBlack(cells: Float32Array): boolean {
  const dark = cells.filter((cell) => cell < DARK);
  return dark.length >= (1 - LIT_SHARE) * cells.length && spreadOf(dark) < BLACK_SPREAD;
}
