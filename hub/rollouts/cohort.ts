import { createHash } from 'node:crypto';

/**
 * The devices on which a candidate acts: the first share in an order that depends on rollout and device alone, so that
 * the 10 % stay in the 50 %. At least one device as soon as the share is above zero.
 */
export function cohort(rollout: string, devices: readonly string[], percent: number): Set<string> {
  const rank = (device: string) => createHash('sha256').update(`${rollout}\0${device}`).digest('hex');
  const ordered = devices.map((device) => ({ device, rank: rank(device) })).sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return new Set(ordered.slice(0, Math.ceil((devices.length * percent) / 100)).map(({ device }) => device));
}
