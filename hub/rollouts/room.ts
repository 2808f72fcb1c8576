import type { Rollout } from './rollout.js';

/**
 * A sum takes no more from here on. Sixty-four of them and the largest window on top are still a whole number that JSON
 * carries (2^53), so no device can count the hub's memory into something that it could not read again.
 */
const FULL = 2 ** 45;

/** Whether every number inside may grow; pure. */
export function hasRoom(sums: unknown): boolean {
  if (typeof sums === 'number') return sums < FULL;
  return typeof sums !== 'object' || sums === null || Object.values(sums).every(hasRoom);
}

/** Whether a rollout can take one more window of a device: the fleet's sums and its own, but not every device's. */
export function hasRoomFor({ evidence, drift }: Pick<Rollout, 'evidence' | 'drift'>, device: string): boolean {
  const { sequence: _, ...own } = (Object.hasOwn(evidence.devices, device) ? evidence.devices[device] : undefined) ?? { sequence: 0 };
  return hasRoom([{ ...evidence, devices: null, open: null, waiting: null, days: null, closed: 0 }, own, drift.episodes, drift.late, drift.misdated]);
}
