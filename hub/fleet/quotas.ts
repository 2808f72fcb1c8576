import { type Allowance, TokenBuckets } from '@adbreak/shared/token-bucket.js';
import { TooSoon } from '../identity/guesses.js';

const MIB = 2 ** 20;
/** More names than a fleet on one machine has devices; only those with a certificate of ours are counted. */
const DEVICES = 20_000;

/** What one device may send and fetch, whatever it means: a burst, then so much a second. docs/decisions/018. */
export const QUOTAS = {
  /**
   * Packets. An agent sends one or two a window, an event at each change, a ping every 20 s. After days
   * without a hub it sends all of its spool, 1,200 windows, at once; this is four times that. Five a second
   * are windows of a second, as demonstrations have them.
   */
  messages: { burst: 5000, perSecond: 5 },
  /**
   * A window has 2 KB, a long one 8: the burst is a whole spool of long ones. 1 KB a second is 86 MB a day,
   * where hourly windows and what goes with them are .1 MB: raw reports are kept for 30 days, and one
   * device fills no disk before somebody looks.
   */
  bytes: { burst: 16 * MIB, perSecond: 1024 },
  /**
   * Two a break, and a signal that comes and goes; demonstrations have breaks of seconds. The hub has the
   * newest 200 of the whole fleet for people to look at.
   */
  events: { burst: 600, perSecond: 2 },
  /**
   * Bytes of models that it fetches: eight of the largest at once, for a version and the one before it that a
   * bad line or card needs several times. 16 KiB a second are ten ordinary models an hour.
   */
  fetched: { burst: 2048 * MIB, perSecond: 16 * 1024 },
} as const satisfies Record<string, Allowance>;
/**
 * Who has used a quota up stays away until so much of its burst is back: else it would be cut off at each
 * message.
 */
const BACK = 0.05;

/** The quotas of all devices. Time is milliseconds of a clock that nobody sets. */
export class Quotas {
  readonly #messages = new TokenBuckets(QUOTAS.messages, DEVICES);
  readonly #bytes = new TokenBuckets(QUOTAS.bytes, DEVICES);
  readonly #fetched = new TokenBuckets(QUOTAS.fetched, DEVICES);
  readonly #barred = new Map<string, { readonly until: number; readonly what: string }>();

  /** Charges a device for one packet of so many bytes; null where it may send it. */
  spend(device: string, bytes: number, now: number): TooSoon | null {
    const spent = [
      { what: 'messages', quota: QUOTAS.messages, wait: this.#messages.take(device, 1, now) },
      { what: 'bytes', quota: QUOTAS.bytes, wait: this.#bytes.take(device, bytes, now) },
    ].find(({ wait }) => wait > 0);
    if (spent === undefined) return null;
    const { what, quota, wait } = spent;
    const away = Math.max(wait, ((quota.burst * BACK) / quota.perSecond) * 1000);
    this.#barred.set(device, {
      until: now + away,
      what: `${quota.burst} ${what} at once and ${quota.perSecond} a second after them`,
    });
    return this.barred(device, now);
  }

  /** Charges a device for so many bytes of a model; null where it may fetch them. Its session goes on. */
  fetch(device: string, bytes: number, now: number): TooSoon | null {
    const wait = this.#fetched.take(device, bytes, now);
    if (wait === 0) return null;
    const { burst, perSecond } = QUOTAS.fetched;
    return new TooSoon(
      `Cannot send ${bytes} bytes to ${device}: it has fetched ${burst} bytes at once and ${perSecond} a second after them`,
      Math.ceil(wait / 1000),
    );
  }

  /** What is left of a device's quotas, shares of their bursts, and for how long it is kept out, seconds. */
  standing(device: string, now: number) {
    return {
      messagesLeft: this.#messages.left(device, now),
      bytesLeft: this.#bytes.left(device, now),
      barredSeconds: this.barred(device, now)?.wait ?? 0,
    };
  }

  /** Null, or why a device that has used up its quota is not let in yet. */
  barred(device: string, now: number): TooSoon | null {
    const bar = this.#barred.get(device);
    if (bar === undefined) return null;
    if (bar.until <= now) {
      this.#barred.delete(device);
      return null;
    }
    const seconds = Math.ceil((bar.until - now) / 1000);
    return new TooSoon(
      `Cannot take more of ${device}: it has sent more than ${bar.what}; it may come again in ${seconds} s`,
      seconds,
    );
  }
}
