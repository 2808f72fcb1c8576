import { randomInt } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { FairTurns } from './fair-turns.js';

/**
 * Argon2id (RFC 9106), the library's default kind, at the least cost that OWASP's Password Storage Cheat
 * Sheet asks for. A stored hash names its own cost, so that these may rise.
 */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Of no password: what is compared where there is no account, so that it takes as long. */
const NOBODYS = [
  '$argon2id$v=19',
  `m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}`,
  'A'.repeat(22),
  'A'.repeat(43),
].join('$');
/** Without letters and digits that look like others. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 4;
const IN_A_GROUP = 5;
/** Of one who asks, as many as may be tried from there at once (pace.ts); of all, what takes half a minute. */
const MOST_WAITING = { each: 10, all: 1000 };

/**
 * One at a time: whoever asks, the hub spends 19 MiB and one core on passwords, and no more. Those who ask have
 * fair turns: `by` is the network that somebody comes from, or who it is where that is known.
 */
export class Passwords {
  readonly #turns = new FairTurns(MOST_WAITING);

  /** A PHC string. Throws TooSoon where too many wait. */
  async hash(password: string, by: string): Promise<string> {
    return this.#turns.run(by, () => hash(normal(password), COST));
  }

  /**
   * Whether a password is the one of a PHC string. Null, of no account, fits nothing and takes as long.
   * Throws TooSoon where too many wait.
   */
  async fits(stored: string | null, password: string, by: string): Promise<boolean> {
    return this.#turns.run(
      by,
      async () => (await verify(stored ?? NOBODYS, normal(password))) && stored !== null,
    );
  }
}

/** SP 800-63B-4 section 3.1.1.2: a letter is the same one however a keyboard has put it together. */
function normal(password: string): string {
  return password.normalize('NFC');
}

/** A password that nobody has thought of: 99 bits, to be read out and typed. */
export function madeUp(): string {
  const group = () => Array.from({ length: IN_A_GROUP }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}
