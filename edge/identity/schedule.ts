import type { Backoff } from '@adbreak/shared/backoff.js';
import { lastThird, type Validity } from '@adbreak/shared/certificates.js';

const MINUTE = 60_000;
/** The first pause after a failure, and the longest: for lives of seconds, as in tests, a share of the life. */
const FIRST_PAUSE = { most: MINUTE, share: 1 / 60 };
const LONGEST_PAUSE = { most: 60 * MINUTE, share: 1 / 12 };

/**
 * When a certificate is renewed: in the first half of its last third, at a moment drawn uniformly from [0, 1), so that
 * a fleet that was enrolled on one day comes over weeks. The second half is left for hubs that are down.
 */
export function renewalTime({ from, to }: Validity, uniform: number): number {
  return lastThird({ from, to }) + (uniform * (to - from)) / 6;
}

/** Between the tries of a renewal. */
export function backoffOf({ from, to }: Validity): Backoff {
  const limit = ({ most, share }: typeof FIRST_PAUSE) => Math.min(most, share * (to - from));
  return { firstMs: limit(FIRST_PAUSE), longestMs: limit(LONGEST_PAUSE), jitter: 0.5 };
}

/** Before the first try, milliseconds: up to the first pause. */
export function patience(validity: Validity, uniform: number): number {
  return uniform * backoffOf(validity).firstMs;
}

/** After a renewal, the least time to the next: a device whose clock is months ahead sees every certificate in its last third. */
export function leastTime({ from, to }: Validity): number {
  return (to - from) / 12;
}
