import { type DeviceLine, fleet } from '@adbreak/shared/contract/http/fleet.js';
import { fits } from '../fleet/changes.js';
import { deviceLineOf } from '../fleet/device-view.js';
import { setDevices, wouldSet } from '../fleet/set-devices.js';
import { nameOf } from '../identity/secrets.js';
import type { HubState } from '../store/state.js';
import type { HttpContext } from './context.js';
import { knownDevice } from './names.js';
import type { Register } from './route.js';

/** The fleet for people and scripts: what each device is and does, and what it shall be. */
export function deviceAdminRoutes(register: Register, context: HttpContext): void {
  const { store } = context;

  register(fleet.list, ({ query: { after = '', limit, tag, online, ...where } }) => {
    const asked = {
      ...where,
      ...(tag !== undefined && { tags: tagAsked(tag) }),
      ...(online !== undefined && { online: online === 'true' }),
    };
    const found = Object.values(store.state.devices)
      .filter((device) => device.id > after && fits(device, asked))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = found.slice(0, limit);
    const next = found.length > page.length ? (page.at(-1)?.id ?? null) : null;
    return { devices: page.map((device) => lineOf(context, device)), next };
  });
  register(fleet.show, ({ params: { id } }) => lineOf(context, knownDevice(store.state, id, 'show')));
  register(fleet.change, ({ who, params: { id }, body: { dry_run, ...set } }) => {
    knownDevice(store.state, id, 'change');
    const asks = [{ device: id, set }];
    return dry_run ? wouldSet(context, asks) : setDevices(context, asks, nameOf(who));
  });
  register(fleet.changes, ({ who, body: { changes, dry_run } }) =>
    dry_run ? wouldSet(context, changes) : setDevices(context, changes, nameOf(who)),
  );
}

function lineOf({ executor, quotas, now }: HttpContext, device: HubState['devices'][string]): DeviceLine {
  return deviceLineOf(device, {
    now: now(),
    behindSince: executor.behindSince(device.id),
    quotas: quotas.standing(device.id, performance.now()),
  });
}

/** `ring`: has the tag; `ring:early`: has this value. */
function tagAsked(tag: string): Record<string, string | null> {
  const colon = tag.indexOf(':');
  return colon < 0 ? { [tag]: null } : { [tag.slice(0, colon)]: tag.slice(colon + 1) };
}
