import { TooSoon } from '../identity/guesses.js';

interface TurnLimits {
  /** How many of one name wait at most, and how long, milliseconds. */
  readonly waiting: number;
  readonly ms: number;
  /** After how many seconds who had to leave may come again. */
  readonly again: number;
  /** As a refusal says it: Cannot `take the model`: another one is under way. */
  readonly doing: string;
}

/** One at a time of each name. Who comes meanwhile waits a little, and then is told to come again. */
export class Turns {
  readonly #limits: TurnLimits;
  /** Of a name whose turn it is, those who wait. */
  readonly #lines = new Map<string, (() => void)[]>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Resolves when the turn has come, with what ends it. Rejects with TooSoon. */
  async take(name: string): Promise<() => void> {
    const line = this.#lines.get(name);
    if (line === undefined) {
      this.#lines.set(name, []);
      return this.#turn(name);
    }
    if (line.length >= this.#limits.waiting) throw this.#tooSoon();
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        clearTimeout(late);
        resolve();
      };
      const late = setTimeout(() => {
        line.splice(line.indexOf(begin), 1);
        reject(this.#tooSoon());
      }, this.#limits.ms);
      line.push(begin);
    });
    return this.#turn(name);
  }

  #turn(name: string): () => void {
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const next = this.#lines.get(name)?.shift();
      if (next === undefined) this.#lines.delete(name);
      else next();
    };
  }

  #tooSoon(): TooSoon {
    const { doing, again } = this.#limits;
    return new TooSoon(`Cannot ${doing}: another one is under way`, again);
  }
}
