/**
 * Change detectors on a stream of numbers, for people who want to see what the usual tools would say (docs/statistics.md, "Change detectors").
 * They assume independent values: frames of one scene break that, so no gate listens to them. Reference of both: river.
 */

/** Page-Hinkley (Page 1954) in both directions, with forgetting as in river: delta .005, threshold 50, 30 values first. */
export class PageHinkley {
  readonly #delta: number;
  readonly #threshold: number;
  readonly #least: number;
  readonly #memory: number;
  #count = 0;
  #mean = 0;
  #rise = 0;
  #fall = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = -1;

  constructor({ delta = 0.005, threshold = 50, least = 30, memory = 1 - 1e-4 } = {}) {
    [this.#delta, this.#threshold, this.#least, this.#memory] = [delta, threshold, least, memory];
  }

  /** True where the mean has changed; the detector begins afresh then. */
  update(value: number): boolean {
    this.#count += 1;
    this.#mean += (value - this.#mean) / this.#count;
    const deviation = value - this.#mean;
    this.#rise = this.#memory * this.#rise + deviation - this.#delta;
    this.#fall = this.#memory * this.#fall + deviation + this.#delta;
    this.#lowest = Math.min(this.#lowest, this.#rise);
    this.#highest = Math.max(this.#highest, this.#fall);
    if (
      this.#count < this.#least ||
      Math.max(this.#rise - this.#lowest, this.#highest - this.#fall) <= this.#threshold
    )
      return false;
    [this.#count, this.#mean, this.#rise, this.#fall, this.#lowest, this.#highest] = [
      0,
      0,
      0,
      0,
      Number.POSITIVE_INFINITY,
      -1,
    ];
    return true;
  }
}

interface Bucket {
  readonly size: number;
  readonly total: number;
  /** Sum of squared deviations from the bucket's own mean. */
  readonly spread: number;
}
const PER_ROW = 5;
const CLOCK = 32;
const GRACE = 10;
const SHORTEST = 5;

/**
 * ADWIN (Bifet and Gavaldà 2007): a window that drops its older part when the two parts' means differ by more than chance
 * allows at confidence delta. An exponential histogram keeps O(log n) buckets; cuts are looked for every 32 values.
 */
export class Adwin {
  readonly #delta: number;
  /** Rows of buckets of 2^row values each; oldest first within a row. */
  #rows: Bucket[][] = [[]];
  #ticks = 0;
  #all: Bucket = { size: 0, total: 0, spread: 0 };

  constructor({ delta = 0.002 } = {}) {
    this.#delta = delta;
  }
  get width(): number {
    return this.#all.size;
  }
  get mean(): number {
    return this.#all.size === 0 ? 0 : this.#all.total / this.#all.size;
  }

  /** True where the window was cut: its mean has changed. */
  update(value: number): boolean {
    const one = { size: 1, total: value, spread: 0 };
    this.#all = join(this.#all, one);
    this.#rows[0]?.push(one);
    this.#compress();
    this.#ticks += 1;
    if (this.#ticks % CLOCK !== 0 || this.width <= GRACE) return false;
    let changed = false;
    while (this.#findCut()) {
      changed = true;
      this.#dropOldest();
    }
    return changed;
  }

  #compress(): void {
    for (let row = 0; row < this.#rows.length; row++) {
      const buckets = this.#rows[row];
      if (buckets === undefined || buckets.length <= PER_ROW) return;
      const [first, second] = buckets.splice(0, 2);
      if (first === undefined || second === undefined) return;
      const next = this.#rows[row + 1] ?? [];
      this.#rows[row + 1] = next;
      next.push(join(first, second));
    }
  }

  /** Whether some split into an older and a newer part differs by more than the bound; buckets from the oldest. */
  #findCut(): boolean {
    let [size, total] = [0, 0];
    for (let row = this.#rows.length - 1; row >= 0; row--) {
      for (const bucket of this.#rows[row] ?? []) {
        size += bucket.size;
        total += bucket.total;
        const rest = this.width - size;
        if (rest < 1) return false;
        if (
          size >= SHORTEST &&
          rest >= SHORTEST &&
          this.#differs(size, rest, total / size - (this.#all.total - total) / rest)
        )
          return true;
      }
    }
    return false;
  }

  #differs(older: number, newer: number, difference: number): boolean {
    const confidence = Math.log((2 * Math.log(this.width)) / this.#delta);
    const harmonic = 1 / (older - SHORTEST + 1) + 1 / (newer - SHORTEST + 1);
    const variance = this.#all.spread / this.width;
    return (
      Math.abs(difference) > Math.sqrt(2 * harmonic * variance * confidence) + (2 / 3) * confidence * harmonic
    );
  }

  #dropOldest(): void {
    const oldest = this.#rows.at(-1)?.shift();
    if (oldest === undefined) return;
    this.#all = part(this.#all, oldest);
    while (this.#rows.length > 1 && this.#rows.at(-1)?.length === 0) this.#rows.pop();
  }
}

/** Sizes, totals and spreads of two sets together (Chan, Golub and LeVeque 1983). */
function join(a: Bucket, b: Bucket): Bucket {
  if (a.size === 0) return b;
  const size = a.size + b.size;
  const between = (a.total / a.size - b.total / b.size) ** 2 * ((a.size * b.size) / size);
  return { size, total: a.total + b.total, spread: a.spread + b.spread + between };
}
/** A set without one of its parts. */
function part(all: Bucket, gone: Bucket): Bucket {
  const [size, total] = [all.size - gone.size, all.total - gone.total];
  if (size === 0) return { size, total: 0, spread: 0 };
  return {
    size,
    total,
    spread:
      all.spread -
      gone.spread -
      (total / size - gone.total / gone.size) ** 2 * ((size * gone.size) / all.size),
  };
}
