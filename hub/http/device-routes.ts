import { validityOf } from '@adbreak/shared/certificates.js';
import { agents } from '@adbreak/shared/contract/http/agents.js';
import type { EnrolResponse } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { modelAtEnrolment } from '../fleet/model-rules.js';
import { numbersKept } from '../fleet/streams.js';
import { fingerprint } from '../identity/authority.js';
import { type Claim, Claims } from '../identity/claims.js';
import type { HttpContext } from './context.js';
import type { Downloads } from './downloads.js';
import type { Register } from './route.js';

const OK = { ok: true } as const;

/** What devices need of HTTP: enrolment by claim token, and everything else by client certificate. */
export function deviceRoutes(
  register: Register,
  context: HttpContext,
  { claims, downloads }: { readonly claims: Enrolments; readonly downloads: Downloads },
): void {
  const { certificates, registry, broker, evaluations } = context;

  enrolment(register, context, claims);
  register(agents.renew, async ({ who, body }) => ({
    certificate: await certificates.renew(who.certificate, body.csr),
  }));
  register(agents.session, ({ who, query }) => {
    const conflict = broker.conflict(who.id, query.instance);
    if (conflict !== null) throw conflict;
    return OK;
  });

  /** Secure rounds: phases that a device asks for and answers; see shared/aggregation. */
  register(agents.round, ({ who, params }) => evaluations.secureView(who.id, params.round));
  register(agents.keys, ({ who: { id }, params, body }) => {
    evaluations.secureMessage(id, params.round, (sum) => sum.takeKeys(id, body));
    return OK;
  });
  register(agents.shares, ({ who: { id }, params, body }) => {
    evaluations.secureMessage(id, params.round, (sum) => sum.takeShares(id, body.boxes));
    return OK;
  });
  register(agents.masked, ({ who: { id }, params, body }) => {
    evaluations.secureMessage(id, params.round, (sum) => sum.takeMasked(id, body.vector));
    return OK;
  });
  register(agents.unmask, ({ who: { id }, params, body }) => {
    evaluations.secureMessage(id, params.round, (sum) => sum.takeUnmasking(id, body));
    return OK;
  });

  register(agents.metadata, async ({ params: { file } }) => {
    const body = /^(\d{1,16}\.(root|targets|snapshot)|timestamp)\.json$/.test(file)
      ? await registry.metadata(file)
      : undefined;
    // TUF clients look for the next root until they get a 404.
    if (body === undefined) throw new AdbreakError('not_found', `There is no metadata ${file}`);
    return { body };
  });
  register(agents.target, async ({ who, params: { file } }) => {
    const digest = /^([0-9a-f]{64})\.(model\.tflite|manifest\.json)$/.exec(file)?.[1];
    const body = digest === undefined ? undefined : await registry.artifact(digest);
    if (digest === undefined || body === undefined)
      throw new AdbreakError('not_found', `There is no target ${file}`);
    return { body: downloads.of(who.id, body) };
  });
}

/** One for all servers of a hub: it knows which claim is being used at the moment. */
export type Enrolments = Claims<EnrolResponse>;
export function enrolments({ store, judged }: Pick<HttpContext, 'store' | 'judged'>): Enrolments {
  return new Claims<EnrolResponse>(() => store.state, judged);
}

function enrolment(register: Register, context: HttpContext, claims: Enrolments): void {
  const { store, authority, registry, executor, now, mqttPort } = context;

  register(agents.enrol, ({ body: card, hostname }) => {
    const { device, csr } = card;
    const before = ownValue(store.state.devices, device)?.model;
    const answer = async (certificate: string): Promise<EnrolResponse> => {
      // The first answer may have been lost on its way, or because an assignment failed.
      await executor.enrolledAgain(device);
      const model = ownValue(store.state.devices, device)?.model ?? '';
      await executor.assign(model);
      // A claim may move it: the model that it left counts who is still there.
      if (before !== undefined && before !== model) await executor.assign(before);
      return {
        device,
        certificate,
        authority: authority.certificate,
        mqtt: `mqtts://${hostname}:${mqttPort}`,
        root: await registry.root(),
      };
    };
    return claims.redeem(card, {
      issue: async (claim) => {
        refuseTaken(context, device, claim);
        const certificate = await authority.issueDevice(device, csr, now());
        await admitCard(context, device, certificate, claim);
        return answer(certificate);
      },
      again: answer,
    });
  });
}

/** A re-imaged card is a new key for an old identity: that takes a claim made for this very device. */
function refuseTaken({ store }: HttpContext, device: string, claim: Claim): void {
  const known = ownValue(store.state.devices, device);
  if (known === undefined || known.revoked || claim.device === device) return;
  throw new AdbreakError(
    'identity_in_use',
    `Cannot enrol ${device}: a device of this name is enrolled already`,
    {
      remedy: `Choose another name, or make a claim for this device: \`adbreak devices claim --device ${device}\`.`,
    },
  );
}

/** The claim is used, and the device is the one with this certificate. */
async function admitCard(
  { store, broker, executor, now, modelByTag }: HttpContext,
  device: string,
  certificate: string,
  claim: Claim,
): Promise<void> {
  const known = ownValue(store.state.devices, device);
  const tags = { ...known?.tags, ...claim.tags };
  const model = claim.model ?? modelAtEnrolment(store.state, known, tags, modelByTag);
  // What the card before it gave is out of every rollout before nobody can tell any more that it was revoked.
  if (known?.revoked === true) await executor.revoked(device, 'hub');
  const stored = store.change(
    (state) => {
      const used = state.claims[claim.hash];
      if (used !== undefined) Object.assign(used, { usedBy: device, certificate });
      state.devices[device] = {
        id: device,
        enrolled: now().toISOString(),
        ...(known !== undefined && { firstEnrolled: known.firstEnrolled ?? known.enrolled }),
        fingerprint: fingerprint(certificate),
        certificateEnds: new Date(validityOf(certificate).to).toISOString(),
        renewal: null,
        revoked: false,
        tags,
        slice: known?.slice ?? null,
        ...(known?.place !== undefined && { place: known.place }),
        model,
        desired: known?.desired ?? null,
        online: false,
        ...(known?.agent !== undefined && { agent: known.agent }),
        lastSeen: null,
        reported: null,
        sequence: 0,
        missingWindows: 0,
        refusedReports: 0,
        ...numbersKept(known, now().getTime()),
        ...(known !== undefined && { enrolledAnew: true }),
      };
    },
    {
      who: `claim:${claim.hash.slice(0, 8)}`,
      what: 'device.enrol',
      subject: device,
      ...(known !== undefined && { before: { model: known.model, tags: known.tags } }),
      after: { model, tags },
    },
  );
  // The card before it is a stranger from the commit on; where that fails it may come again.
  await stored.finally(() => broker.disconnect(device));
}
