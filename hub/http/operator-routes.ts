import { devices, deviceTags } from '@adbreak/shared/contract/http/devices.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { forgettable } from '../identity/claims.js';
import { nameOf, newSecret } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownDevice } from './names.js';
import type { Register } from './route.js';

/** A claim is remembered until a day after its end, used or not. */
const CLAIMS_LIMIT = 10_000;

/** What operators do with devices: cards, tags, and the end of an identity. */
export function operatorRoutes(register: Register, context: HttpContext): void {
  const { store, executor, broker } = context;

  claims(register, context);
  register(devices.revoke, async ({ who, params: { id } }) => {
    knownDevice(store.state, id, 'revoke');
    await store.change(
      (state) => {
        const device = ownValue(state.devices, id);
        if (device !== undefined) device.revoked = true;
      },
      { who: nameOf(who), what: 'device.revoke', subject: id },
    );
    broker.disconnect(id);
    return { id, revoked: true as const };
  });
  /** PUT replaces a device's tags; PATCH changes those named, and takes one away where the value is null. */
  register(devices.setTags, ({ who, params: { id }, body: { tags } }) => {
    knownDevice(store.state, id, 'tag');
    return executor.tag(id, tags, nameOf(who));
  });
  register(devices.changeTags, ({ who, params: { id }, body: { tags } }) => {
    const merged = new Map<string, string | null>([
      ...Object.entries(knownDevice(store.state, id, 'tag').tags),
      ...Object.entries(tags),
    ]);
    const kept = Object.fromEntries([...merged].filter(([, value]) => value !== null));
    return executor.tag(id, check(deviceTags, { tags: kept }, 'the tags').tags, nameOf(who));
  });
}

function claims(register: Register, { store, now }: HttpContext): void {
  register(devices.claim, async ({ who, body: { device, hours, count } }) => {
    const expires = new Date(now().getTime() + hours * 3_600_000).toISOString();
    const old = forgettable(store.state.claims, now());
    const kept = Object.keys(store.state.claims).length - old.length;
    if (kept + count > CLAIMS_LIMIT)
      throw new AdbreakError(
        'conflict',
        `Cannot make ${count} claims: ${kept} are remembered, at most ${CLAIMS_LIMIT}`,
        {
          remedy:
            'Use those that were made, or wait until they have expired; a shorter life (`--hours`) makes room sooner.',
        },
      );
    const made = Array.from({ length: count }, () => newSecret('claim'));
    await store.change(
      ({ claims }) => {
        for (const hash of old) delete claims[hash];
        for (const { hash } of made)
          claims[hash] = { hash, device, expires, usedBy: null, certificate: null };
      },
      { who: nameOf(who), what: 'claim.create', subject: device ?? 'any', after: { count, expires } },
    );
    return { tokens: made.map(({ secret }) => secret), expires };
  });
}
