import type { Store } from '../store/store.js';

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
      const device = devices[id];
      // Looked at again: it may have come or gone since.
      if (device !== undefined)
        Object.assign(device, { online: present(id), ...(seen && { lastSeen: seen.toISOString() }) });
    }
  });
}
