import { devices } from '@adbreak/shared/contract/http/devices.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { setDevices } from '../fleet/set-devices.js';
import { forgettable } from '../identity/claims.js';
import { nameOf, newSecret } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownDevice, knownModel } from './names.js';
import type { Register } from './route.js';

/** A claim is remembered until a day after its end, used or not. */
const CLAIMS_LIMIT = 10_000;

/** What operators do with devices: cards, tags, and the end of an identity. */
export function operatorRoutes(register: Register, context: HttpContext): void {
  const { store, broker, certificates, executor, report } = context;

  claims(register, context);
  register(devices.revoke, async ({ who, params: { id } }) => {
    knownDevice(store.state, id, 'revoke');
    // First of all, and whatever becomes of the write: a full disk must keep nobody in.
    certificates.bar(id);
    broker.disconnect(id);
    await store.change(
      (state) => {
        const device = ownValue(state.devices, id);
        if (device !== undefined) device.revoked = true;
      },
      { who: nameOf(who), what: 'device.revoke', subject: id },
    );
    // It is revoked, whatever becomes of the rollouts: the next look does again what failed.
    await executor
      .revoked(id, nameOf(who))
      .catch((error: unknown) => report(`device ${id}: ${explain(error)}`, { device: id, error }));
    return { id, revoked: true as const };
  });
  register(devices.exclude, async ({ who, params: { id }, body: { reason, rollout } }) => {
    knownDevice(store.state, id, 'exclude');
    return { id, ...(await executor.exclude({ device: id, who: nameOf(who), reason }, rollout)) };
  });
  /** PUT replaces a device's tags; PATCH changes those named, and takes one away where the value is null. */
  register(devices.setTags, async ({ who, params: { id }, body: { tags } }) => {
    await setDevices(context, [{ device: id, set: { tags, only_tags: true } }], nameOf(who));
    return { id, tags: knownDevice(store.state, id, 'tag').tags };
  });
  register(devices.changeTags, async ({ who, params: { id }, body: { tags } }) => {
    await setDevices(context, [{ device: id, set: { tags } }], nameOf(who));
    return { id, tags: knownDevice(store.state, id, 'tag').tags };
  });
}

function claims(register: Register, { store, judged, settled }: HttpContext): void {
  register(devices.claim, async ({ who, body: { device, hours, count, model, tags } }) => {
    if (model !== undefined) refuseUnready(store.state, model);
    const expires = new Date(judged().getTime() + hours * 3_600_000).toISOString();
    const old = forgettable(store.state.claims, settled());
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
          claims[hash] = {
            hash,
            device,
            expires,
            usedBy: null,
            certificate: null,
            ...(model !== undefined && { model }),
            ...(tags !== undefined && { tags }),
          };
      },
      {
        who: nameOf(who),
        what: 'claim.create',
        subject: device ?? 'any',
        after: { count, expires, model, tags },
      },
    );
    return { tokens: made.map(({ secret }) => secret), expires };
  });
}

/** A card that brings a model gets its production at once; one without would get nothing. */
function refuseUnready(state: HttpContext['store']['state'], model: string): void {
  if (knownModel(state, model, 'make a claim for').production !== null) return;
  throw new AdbreakError('conflict', `Cannot make a claim for ${model}: it has no production version`, {
    remedy: `Promote one first: \`adbreak models promote ${model} VERSION\`.`,
  });
}
