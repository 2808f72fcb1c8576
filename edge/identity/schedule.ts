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

/** Before the try after `failures` failures, milliseconds: doubling, and drawn from the pause's upper half; 0 failures: up to the first pause. */
export function pause(failures: number, { from, to }: Validity, uniform: number): number {
  const limit = ({ most, share }: typeof FIRST_PAUSE) => Math.min(most, share * (to - from));
  if (failures === 0) return uniform * limit(FIRST_PAUSE);
  return Math.min(limit(LONGEST_PAUSE), limit(FIRST_PAUSE) * 2 ** Math.min(failures - 1, 30)) * (0.5 + uniform / 2);
}

/** After a renewal, the least time to the next: a device whose clock is months ahead sees every certificate in its last third. */
export function leastTime({ from, to }: Validity): number {
  return (to - from) / 12;
}
