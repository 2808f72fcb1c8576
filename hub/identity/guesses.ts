import { isIPv6 } from 'node:net';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';

/** A secret was presented that is none of this hub's: what is counted against an address. */
export class UnknownSecret extends AdbreakError {}

/** What may be asked again after `wait` seconds. */
export class TooSoon extends AdbreakError {
  readonly wait: number;
  constructor(message: string, wait: number) {
    super('too_many_requests', message, {
      remedy: 'Wait as long as Retry-After says; the agent does so by itself.',
    });
    this.wait = wait;
  }
}

/** Wrong tokens that one address may send at once, and how many more each second. A person with an old token in a script notices; a card has one. */
const ALLOWANCE = { burst: 20, perSecond: 1 };
/** Addresses remembered; beyond them the one that was silent longest is forgotten. About 2 MB. */
const REMEMBERED = 10_000;

/**
 * Wrong tokens by the address they come from. It slows what is wrong alone: a right token is found by its hash at once, so
 * nobody's wrong ones keep it waiting, also not behind the same router.
 */
export class Guesses {
  readonly #buckets = new TokenBuckets(ALLOWANCE, REMEMBERED);

  /** Counts one wrong token. Gives 0, or the seconds after which the address may send the next one. */
  count(address: string, now: Date): number {
    return Math.ceil(this.#buckets.take(network(address), 1, now.getTime()) / 1000);
  }

  get remembered(): number {
    return this.#buckets.remembered;
  }
}

/** An IPv4 address where one is mapped into IPv6 (RFC 4291 section 2.5.5.2). */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** An IPv4 address, also where it is mapped into IPv6; of IPv6 the first 64 bits, which are one household's (RFC 6177). */
export function network(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::', 2) ?? [];
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined
      ? []
      : Array.from({ length: Math.max(0, 8 - groups.length - after.length) }, () => '0');
  return [...groups, ...zeros, ...after].slice(0, 4).join(':');
}
