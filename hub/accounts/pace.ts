import { TokenBuckets } from '@adbreak/shared/token-bucket.js';

/** Of one address, whatever the names: a household that has forgotten its passwords comes in. */
const BY_ADDRESS = { burst: 10, perSecond: 1 / 6 };
/** Of one name, from everywhere: 4,350 guesses a day, however many machines guess. */
const BY_NAME = { burst: 30, perSecond: 1 / 20 };
const REMEMBERED = 10_000;

interface Attempt {
  readonly name: string;
  /** Where it comes from; hub/identity/guesses.ts, `network`. */
  readonly network: string;
  /** Networks from which the account was signed in to; null: there is no such account. */
  readonly known: readonly string[] | null;
}

/**
 * How fast passwords may be tried. By name, too: else many addresses guess as fast as they are many. But then
 * strangers could keep an account's holder out by guessing all day, so where its holder has come from before
 * the name is not looked at.
 */
export class Pace {
  readonly #addresses = new TokenBuckets(BY_ADDRESS, REMEMBERED);
  readonly #accounts = new TokenBuckets(BY_NAME, REMEMBERED);
  /** Apart, so that made-up names push no account out of what is remembered. */
  readonly #nobodys = new TokenBuckets(BY_NAME, REMEMBERED);

  /**
   * Takes an attempt, before its password is looked at: many at once are many. Gives 0, or the seconds to
   * wait. `now`: milliseconds of a clock that nobody sets.
   */
  take({ name, network, known }: Attempt, now: number): number {
    const byAddress = this.#addresses.take(network, 1, now);
    if (byAddress > 0) return Math.ceil(byAddress / 1000);
    if (known?.includes(network)) return 0;
    const names = known === null ? this.#nobodys : this.#accounts;
    return Math.ceil(names.take(name, 1, now) / 1000);
  }
}
