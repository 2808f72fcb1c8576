/** Cells of the square, right and bottom not included. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A row that was dark for so long, seconds, is a bar: shorter than that it may be a night. */
const PATIENCE = 60;
/** A level above which a cell is lit: black is up to 30 where a range was squeezed twice. */
const LIT = 44;
/** So much of a row is lit where it is picture: a logo in a bar is less. */
const LIT_SHARE = 0.1;
/** At most so much of each side is bar: more is no picture at all. */
const WIDEST = 0.3;

/**
 * The bars of letterbox and pillarbox: rows and columns at the edges that nothing lit for a minute, or since the
 * beginning. They end at once where picture is in them.
 */
export class Bars {
  readonly #size: number;
  readonly #rows: Float64Array;
  readonly #columns: Float64Array;

  constructor(size: number) {
    this.#size = size;
    this.#rows = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
    this.#columns = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  }

  /** What of a square of grey cells is picture. */
  look(time: number, thumb: Uint8Array): Rectangle {
    const size = this.#size;
    const rows = new Uint16Array(size);
    const columns = new Uint16Array(size);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        if ((thumb[y * size + x] ?? 0) > LIT) {
          rows[y] = (rows[y] ?? 0) + 1;
          columns[x] = (columns[x] ?? 0) + 1;
        }
    for (let i = 0; i < size; i++) {
      if ((rows[i] ?? 0) >= LIT_SHARE * size) this.#rows[i] = time;
      if ((columns[i] ?? 0) >= LIT_SHARE * size) this.#columns[i] = time;
    }
    const [top, bottom] = this.#between(this.#rows, time);
    const [left, right] = this.#between(this.#columns, time);
    return { left, top, right, bottom };
  }

  #between(lit: Float64Array, time: number): [number, number] {
    const isDark = (i: number) => (lit[i] ?? time) < time - PATIENCE;
    const widest = Math.floor(WIDEST * this.#size);
    let [first, last] = [0, this.#size];
    while (first <= widest && isDark(first)) first++;
    while (this.#size - last <= widest && isDark(last - 1)) last--;
    // One side alone is a dark picture; bars come in pairs of about one size.
    const isPair =
      first <= widest && this.#size - last <= widest && Math.abs(first - (this.#size - last)) <= 2;
    return isPair ? [first, last] : [0, this.#size];
  }
}
