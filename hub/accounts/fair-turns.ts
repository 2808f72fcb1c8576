import { TooSoon } from '../identity/guesses.js';

interface Limits {
  /** How many of one name wait at most. */
  readonly each: number;
  /** And of all names. */
  readonly all: number;
}
/** What waits for its turn; it tells its outcome itself, and does not throw. */
type Work = () => Promise<void>;

/**
 * One piece of work at a time. Whoever waits with many has as many turns as whoever waits with one: each name
 * has one before any has a second.
 */
export class FairTurns {
  readonly #limits: Limits;
  /** By name, whose turn is next first. */
  readonly #lines = new Map<string, Work[]>();
  #waiting = 0;
  #works = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Rejects as the work does. Throws TooSoon where too much waits, of this name or of all. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(name) ?? [];
    const { each, all } = this.#limits;
    if (line.length >= each || this.#waiting >= all)
      throw new TooSoon('Cannot look at the password: too many people sign in at once', 2);
    const result = new Promise<T>((resolve, reject) => {
      line.push(() => work().then(resolve, reject));
    });
    this.#lines.set(name, line);
    this.#waiting += 1;
    if (!this.#works) void this.#work();
    return result;
  }

  async #work(): Promise<void> {
    this.#works = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await next();
    this.#works = false;
  }

  #next(): Work | undefined {
    for (const [name, line] of this.#lines) {
      const work = line.shift();
      // Behind all others: a Map keeps the order of insertion.
      this.#lines.delete(name);
      if (line.length > 0) this.#lines.set(name, line);
      this.#waiting -= 1;
      return work;
    }
    return undefined;
  }
}
