import { AHEAD_OF_TIME } from '../../backup/leap.js';
import { assignments, sameAssignment } from '../../fleet/desired.js';
import type { HubState } from '../../store/state.js';

/**
 * What the fleet has beside what it should have, so that nothing depends on one message having arrived: neither an order to
 * assign, nor a desired state on its way to a device, nor a device's word.
 */

type Device = HubState['devices'][string];

/** So long a device may take before its desired state is sent again, doubled each time up to the longest. Models are downloaded meanwhile. */
export const FIRST_PATIENCE_MS = 2 * 60_000;
const LONGEST_PATIENCE_MS = 3_600_000;
/** A device that does not report what it was sent. */
interface Behind {
  readonly revision: number;
  /** Since when this hub knows, and when it sends next, milliseconds. */
  readonly since: number;
  readonly next: number;
  readonly patience: number;
}

/** Who is behind, looked at again and again; remembers when it said what. */
export class Followers {
  readonly #behind = new Map<string, Behind>();

  /** Since when a device has been behind its desired states, milliseconds, by this process; null where it is not, or is not there. */
  since(device: string): number | null {
    return this.#behind.get(device)?.since ?? null;
  }

  /** The devices to which their desired state shall be sent again now. One that is offline gets it when it comes back. */
  overdue({ devices }: Pick<HubState, 'devices'>, now: number): string[] {
    for (const id of this.#behind.keys()) if (!Object.hasOwn(devices, id)) this.#behind.delete(id);
    return Object.values(devices).flatMap((device) => {
      if (!isBehind(device)) {
        this.#behind.delete(device.id);
        return [];
      }
      const revision = device.desired?.revision ?? 0;
      const known = this.#behind.get(device.id);
      // A clock that was set back waits no longer than the patience.
      if (known?.revision === revision && now < known.next && known.next - now <= known.patience) return [];
      const patience =
        known?.revision === revision ? Math.min(LONGEST_PATIENCE_MS, 2 * known.patience) : FIRST_PATIENCE_MS;
      this.#behind.set(device.id, { revision, since: known?.since ?? now, next: now + patience, patience });
      return known?.revision === revision ? [device.id] : [];
    });
  }
}

function isBehind({ desired, reported, online, revoked }: Device): boolean {
  return !revoked && online && desired !== null && (reported?.revision ?? 0) < desired.revision;
}

/** Models of which a device's desired state is not what its rollout, its exceptions and production say. */
export function misassigned(state: Readonly<HubState>): string[] {
  return Object.keys(state.models).filter((model) => {
    for (const [id, wanted] of assignments(state, model))
      if (!sameAssignment(wanted, state.devices[id]?.desired ?? null)) return true;
    return false;
  });
}

/**
 * Devices that report a higher revision than the hub has given them, and the one they report: a hub that was restored from a
 * backup, or a card that knew another hub. Such a device refuses everything until the hub has gone beyond it.
 */
export function ahead(
  { devices }: Pick<HubState, 'devices'>,
  now: number,
): [device: string, revision: number][] {
  // Hubs count slower than a number a microsecond, and restored ones go on from the time: what is further ahead is not believed.
  const highest = 1000 * now + AHEAD_OF_TIME;
  return Object.values(devices).flatMap(({ id, desired, reported, revoked }): [string, number][] =>
    !revoked &&
    desired !== null &&
    reported !== null &&
    reported.revision > desired.revision &&
    reported.revision < highest
      ? [[id, reported.revision]]
      : [],
  );
}
