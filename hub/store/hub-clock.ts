import { follow, type HubTime, SET_RIGHT_MS } from './hub-time.js';
import type { Store } from './store.js';

/** How often what is known is written down. */
const KEPT_EVERY_MS = 5 * 60_000;

/**
 * The time for what must not depend on the clock alone: a clock that is ahead for a while must take nothing away, and
 * one that is set back must open nothing again. docs/decisions/025.
 */
export class HubClock {
  readonly #store: Pick<Store, 'state' | 'keepTime'>;
  readonly #wall: () => Date;
  readonly #say: (line: string) => void;
  #known: HubTime;
  #kept = Number.NEGATIVE_INFINITY;
  #wasBack = false;

  constructor(store: Pick<Store, 'state' | 'keepTime'>, wall: () => Date, say: (line: string) => void) {
    this.#store = store;
    this.#wall = wall;
    this.#say = say;
    this.#known = store.state.time ?? follow(null, wall());
  }

  /** By which what ends is ended: never before what this hub has lived through. */
  readonly judged = (): Date => {
    const [wall, floor] = this.#both();
    return wall.getTime() < floor ? new Date(floor) : wall;
  };

  /** From which ages are counted, and by which something is taken away: never beyond what is believed of the clock. */
  readonly settled = (): Date => {
    const [wall, floor] = this.#both();
    return wall.getTime() > floor ? new Date(floor) : wall;
  };

  #both(): [wall: Date, floor: number] {
    const wall = this.#wall();
    this.#follow(wall);
    return [wall, Date.parse(this.#known.floor)];
  }

  /** Looks at the clock, at least every hour; what is known is on the disk every few minutes. */
  async look(): Promise<void> {
    const wall = this.#wall();
    this.#follow(wall);
    if (Math.abs(wall.getTime() - this.#kept) < KEPT_EVERY_MS) return;
    await this.keep();
    this.#kept = wall.getTime();
  }

  /** Writes down what is known by now. */
  keep(): Promise<void> {
    return this.#store.keepTime(this.#known);
  }

  #follow(wall: Date): void {
    const before = this.#known;
    this.#known = follow(before, wall);
    const { floor, ahead } = this.#known;
    if (before.ahead === null && ahead !== null)
      this.#say(
        `the clock says ${wall.toISOString()}, and was looked at last at ${floor}: until it has stood there for a day nothing is forgotten for its age`,
      );
    const isBack = wall.getTime() < Date.parse(floor) - SET_RIGHT_MS;
    if (isBack && !this.#wasBack)
      this.#say(
        `the clock says ${wall.toISOString()}, and this hub has lived through ${floor}: what had ended by then stays ended`,
      );
    this.#wasBack = isBack;
  }
}
