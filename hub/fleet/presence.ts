import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';

/** Writes down, in place, that a device has come or gone; null where nobody knows when. */
export function noteLink(
  device: HubState['devices'][string] | undefined,
  online: boolean,
  at: Date | null,
): void {
  if (device === undefined) return;
  device.online = online;
  if (online) delete device.lost;
  if (at === null) delete device.linkSince;
  else Object.assign(device, { linkSince: at.toISOString(), lastSeen: at.toISOString() });
}

/**
 * Sets `online` to what the broker knows. Each coming and going is written when it happens; one that happened while the
 * database could not be written, or with a hub that was killed, would else stand until the next.
 * @param seen when who came or went was last seen; null where nobody can say
 */
export async function correctPresence(
  store: Pick<Store, 'state' | 'change'>,
  present: (device: string) => boolean,
  seen: Date | null,
): Promise<void> {
  const wrong = Object.values(store.state.devices).filter(({ id, online }) => online !== present(id));
  if (wrong.length === 0) return;
  await store.change(({ devices }) => {
    for (const { id } of wrong) {
      // Looked at again: it may have come or gone since.
      noteLink(devices[id], present(id), seen);
    }
  });
}
