import type { HubState } from '../store/state.js';

/** The devices of a model; those whose identity was revoked are none of them. */
export function devicesOf(
  { devices }: Pick<HubState, 'devices'>,
  model: string,
): HubState['devices'][string][] {
  return Object.values(devices).filter((device) => device.model === model && !device.revoked);
}
