import type { WindowReport } from '@adbreak/shared/contract/messages.js';

/** What devices are told apart by, and the names that slices have: `channel=one`, `site=home`, `hardware=pi5`. Pure. */
export type Slice = WindowReport['slice'];

const UNKNOWN = 'unknown';

/** People write one channel in many ways; two devices that mean the same one must not be two clusters. */
export function channelKey(channel: string): string {
  let key = keys.get(channel);
  if (key !== undefined) return key;
  key = channel.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
  if (keys.size >= MOST_KEYS) keys.clear();
  keys.set(channel, key);
  return key;
}
/** Every device is asked for its channel at every look; a fleet has few, and hostile names do not pile up. */
const keys = new Map<string, string>();
const MOST_KEYS = 10_000;

export function sliceName(dimension: keyof Slice, slice: Slice): string {
  return `${dimension}=${dimension === 'channel' ? channelKey(slice.channel) : slice[dimension]}`;
}

/** The slices of a device. */
export function slicesOfDevice(slice: Slice): readonly string[] {
  return (['channel', 'site', 'hardware'] as const).map((dimension) => sliceName(dimension, slice));
}

/** Devices that receive one channel are one cluster; where a site does not say what it watches, the site is. */
export function clusterOfSlice(slice: Slice): string {
  const channel = channelKey(slice.channel);
  return channel === '' || channel === UNKNOWN ? sliceName('site', slice) : sliceName('channel', slice);
}
