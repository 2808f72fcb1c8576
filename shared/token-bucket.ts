/** What may come at once, and how much of it comes back each second. */
export interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/** Sums of fractions miss their whole numbers by less. */
const NOTHING = 1e-9;

interface Bucket {
  left: number;
  at: number;
}

/**
 * Token buckets by name, in bounded memory; pure but for what it remembers. Time is milliseconds of a clock
 * that nobody sets (`performance.now()`): a step of the wall clock would give tokens, or take them.
 */
export class TokenBuckets {
  readonly #allowance: Allowance;
  readonly #most: number;
  readonly #buckets = new Map<string, Bucket>();

  /**
   * `most`: names that are remembered; beyond them the one that was silent longest is forgotten, and has a
   * full bucket again.
   */
  constructor(allowance: Allowance, most: number) {
    this.#allowance = allowance;
    this.#most = most;
  }

  get remembered(): number {
    return this.#buckets.size;
  }

  /**
   * Takes `amount`, at most the burst, and gives 0; or takes nothing, and gives the whole milliseconds until
   * there is so much.
   */
  take(name: string, amount: number, now: number): number {
    const { burst, perSecond } = this.#allowance;
    const known = this.#buckets.get(name) ?? { left: burst, at: now };
    const left = Math.min(burst, known.left + (Math.max(0, now - known.at) / 1000) * perSecond);
    const missing = amount - left > NOTHING ? amount - left : 0;
    // Deleted first: a Map keeps the order of insertion, so its first one was silent longest.
    this.#buckets.delete(name);
    this.#buckets.set(name, { left: missing > 0 ? left : Math.max(0, left - amount), at: now });
    this.#forget();
    return missing === 0 ? 0 : Math.ceil((missing / perSecond) * 1000 - NOTHING);
  }

  /** What is left of a name's burst, from 0 to 1; nothing is taken. */
  left(name: string, now: number): number {
    const { burst, perSecond } = this.#allowance;
    const known = this.#buckets.get(name) ?? { left: burst, at: now };
    return Math.min(1, (known.left + (Math.max(0, now - known.at) / 1000) * perSecond) / burst);
  }

  #forget(): void {
    for (const [oldest] of this.#buckets) {
      if (this.#buckets.size <= this.#most) return;
      this.#buckets.delete(oldest);
    }
  }
}
