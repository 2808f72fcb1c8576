/** What a small grey picture of a frame tells of the ones before it. */
export const LOOK = { width: 32, height: 18 } as const;
/** Levels of 255 by which pixels change on average at a cut, and how much more than around it. */
const CUT = 18;
const TIMES_BEFORE = 3;
/** Frames over which the usual change is averaged. */
const MEMORY = 12;
/** Black: hardly a pixel is brighter (limited range begins at 16, and noise is above it). */
const BLACK_MEAN = 24;
const BLACK_PIXEL = 48;
const SHORTEST_BLACK = 0.04;

/** Reads frames in order; keeps the cuts and the black stretches among them. */
export class Look {
  readonly cuts: number[] = [];
  readonly black: [number, number][] = [];
  #before: Uint8Array | null = null;
  #usual = 0;
  #since: number | null = null;
  #last = 0;

  add(time: number, pixels: Uint8Array): void {
    if (this.#before !== null) this.#compare(time, pixels, this.#before);
    this.#before = pixels;
    if (isBlack(pixels)) this.#since ??= time;
    else this.#closeBlack(time);
    this.#last = time;
  }

  end(): void {
    this.#closeBlack(this.#last);
  }

  #compare(time: number, pixels: Uint8Array, before: Uint8Array): void {
    const change = difference(pixels, before);
    if (change >= CUT && change >= TIMES_BEFORE * this.#usual) this.cuts.push(time);
    this.#usual += (change - this.#usual) / MEMORY;
  }

  #closeBlack(end: number): void {
    if (this.#since !== null && end - this.#since >= SHORTEST_BLACK) this.black.push([this.#since, end]);
    this.#since = null;
  }
}

function difference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] ?? 0) - (b[i] ?? 0));
  return sum / a.length;
}

function isBlack(pixels: Uint8Array): boolean {
  let [sum, brightest] = [0, 0];
  for (const pixel of pixels) {
    sum += pixel;
    brightest = Math.max(brightest, pixel);
  }
  return sum / pixels.length < BLACK_MEAN && brightest < BLACK_PIXEL;
}
