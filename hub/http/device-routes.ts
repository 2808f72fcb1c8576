import { TLSSocket } from 'node:tls';
import {
  advertised,
  maskedInput,
  PHASES,
  sharedOut,
  unmasking,
} from '@adbreak/shared/aggregation/messages.js';
import { validityOf } from '@adbreak/shared/certificates.js';
import {
  type EnrolResponse,
  enrolRequest,
  type RenewResponse,
  renewRequest,
} from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { ROUND_ID } from '@adbreak/shared/contract/rounds.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { numbersKept } from '../fleet/streams.js';
import { fingerprint } from '../identity/authority.js';
import { Claims } from '../identity/claims.js';
import type { HttpContext } from './context.js';
import { newDevice } from './names.js';

/** What devices need of HTTP: enrolment by claim token, and downloads by client certificate. */
export function deviceRoutes(app: Pick<FastifyInstance, 'get' | 'post'>, context: HttpContext): void {
  const { store, authority, certificates, registry, broker, executor, now, mqttPort } = context;

  const answer = async (
    request: FastifyRequest,
    device: string,
    certificate: string,
  ): Promise<EnrolResponse> => ({
    device,
    certificate,
    authority: authority.certificate,
    mqtt: `mqtts://${request.hostname}:${mqttPort}`,
    root: await registry.root(),
  });
  const claims = new Claims<EnrolResponse>(() => store.state, now);
  app.post('/api/v1/enrol', async (request): Promise<EnrolResponse> => {
    const card = check(enrolment, request.body, 'the enrolment');
    const { device, csr } = card;
    return claims.redeem(card, {
      issue: async (claim) => {
        const known = ownValue(store.state.devices, device);
        // A re-imaged card is a new key for an old identity: that takes a claim made for this very device.
        if (known !== undefined && !known.revoked && claim.device !== device) {
          throw new AdbreakError(
            'identity_in_use',
            `Cannot enrol ${device}: a device of this name is enrolled already`,
            {
              remedy: `Choose another name, or make a claim for this device: \`adbreak devices claim --device ${device}\`.`,
            },
          );
        }
        const certificate = await authority.issueDevice(device, csr, now());
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
              tags: known?.tags ?? {},
              slice: known?.slice ?? null,
              model: known?.model ?? 'base-ad-detector',
              desired: known?.desired ?? null,
              online: false,
              lastSeen: null,
              reported: null,
              sequence: 0,
              missingWindows: 0,
              refusedReports: 0,
              ...numbersKept(known, now().getTime()),
              ...(known !== undefined && { enrolledAnew: true }),
            };
          },
          { who: `claim:${claim.hash.slice(0, 8)}`, what: 'device.enrol', subject: device },
        );
        // The card before it is a stranger from the commit on; where that fails it may come again.
        await stored.finally(() => broker.disconnect(device));
        await executor.enrolledAgain(device);
        await executor.assign(ownValue(store.state.devices, device)?.model ?? '');
        return answer(request, device, certificate);
      },
      again: async (certificate) => {
        // The first answer may have been lost on its way, or because an assignment failed.
        await executor.enrolledAgain(device);
        await executor.assign(ownValue(store.state.devices, device)?.model ?? '');
        return answer(request, device, certificate);
      },
    });
  });

  /** The next certificate. Alone of all routes it answers a certificate that has ended: who is late renews here, within the grace period. */
  app.post('/agent/renew', async (request): Promise<RenewResponse> => {
    const { csr } = check(renewRequest, request.body, 'the renewal');
    return { certificate: await certificates.renew(shownCertificate(request), csr) };
  });

  /** After a refused CONNECT, the reason: MQTT 3.1.1 has a number only. */
  app.get('/agent/session', async (request) => {
    const device = deviceOf(request, context);
    const { instance } = check(instanceQuery, request.query, 'the query');
    const conflict = broker.conflict(device, instance);
    if (conflict !== null) throw conflict;
    return { ok: true };
  });

  /** Secure rounds: phases that a device asks for and answers; see shared/aggregation. */
  app.get('/agent/evaluations/:round', async (request) => {
    const device = deviceOf(request, context);
    return context.evaluations.secureView(device, check(roundPath, request.params, 'the path').round);
  });
  app.post('/agent/evaluations/:round/:phase', async (request) => {
    const device = deviceOf(request, context);
    const { round, phase } = check(roundPath.extend({ phase: z.enum(PHASES) }), request.params, 'the path');
    context.evaluations.secureMessage(device, round, (sum) => {
      switch (phase) {
        case 'keys':
          return sum.takeKeys(device, check(advertised, request.body, 'the keys'));
        case 'shares':
          return sum.takeShares(device, check(sharedOut, request.body, 'the shares').boxes);
        case 'masked':
          return sum.takeMasked(device, check(maskedInput, request.body, 'the masked input').vector);
        case 'unmask':
          return sum.takeUnmasking(device, check(unmasking, request.body, 'the shares'));
      }
    });
    return { ok: true };
  });

  app.get<{ Params: { file: string } }>('/tuf/metadata/:file', async (request, reply) => {
    deviceOf(request, context);
    const { file } = request.params;
    const bytes = /^(\d{1,16}\.(root|targets|snapshot)|timestamp)\.json$/.test(file)
      ? await registry.metadata(file)
      : undefined;
    // TUF clients look for the next root until they get a 404.
    if (bytes === undefined) throw new AdbreakError('not_found', `There is no metadata ${file}`);
    return reply.type('application/json').send(bytes);
  });

  app.get<{ Params: { '*': string } }>('/tuf/targets/*', async (request, reply) => {
    deviceOf(request, context);
    const digest = /\/([0-9a-f]{64})\.(model\.tflite|manifest\.json)$/.exec(`/${request.params['*']}`)?.[1];
    const bytes = digest === undefined ? undefined : await registry.artifact(digest);
    if (bytes === undefined) throw new AdbreakError('not_found', `There is no target ${request.params['*']}`);
    return reply.type('application/octet-stream').send(bytes);
  });
}

const enrolment = enrolRequest.extend({ device: newDevice });
const roundPath = z.object({ round: z.string().regex(ROUND_ID) });
const instanceQuery = z.object({ instance: z.string().max(64) });

/**
 * The device behind a request's client certificate. `authorized` alone says too little: Node gives it to a resumed TLS 1.3
 * session too, for which nobody showed a certificate. The certificate itself counts, and that it is the enrolled one.
 */
function deviceOf(request: FastifyRequest, { certificates }: Pick<HttpContext, 'certificates'>): string {
  const { id, print, ends } = certificates.identify(shownCertificate(request));
  // Ours and known: of OpenSSL's reasons only the dates are left.
  if (!(request.raw.socket instanceof TLSSocket && request.raw.socket.authorized))
    throw new AdbreakError(
      'identity_expired',
      `Cannot answer: the certificate of ${id} is not in its time; it ends at ${new Date(ends).toISOString()}`,
      {
        remedy: 'The agent renews it by itself within the grace period; later it needs a new claim token.',
      },
    );
  const refusal = certificates.admit(id, print);
  if (refusal !== null) throw refusal;
  return id;
}

/** The certificate of the other side, whose key it has proved to hold; nothing else of it is checked yet. */
function shownCertificate(request: FastifyRequest): Buffer {
  const { socket } = request.raw;
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (shown === undefined)
    throw new AdbreakError('unauthorized', 'Cannot answer: this needs a device certificate');
  return shown.raw;
}
