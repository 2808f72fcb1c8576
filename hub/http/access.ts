import { TLSSocket } from 'node:tls';
import type { Access } from '@adbreak/shared/contract/http/access.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DeviceCertificates } from '../identity/device-certificates.js';
import { type CertifiedDevice, holderOf, type Principal, requireRole } from '../identity/secrets.js';
import type { HttpContext } from './context.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. */
    access?: Access;
    /** As a refusal says it. */
    doing?: string | undefined;
  }
  interface FastifyRequest {
    /** Who asks; null where a route is public, or nobody knows. */
    who: Principal | null;
    /** Why it was refused. */
    fault: ErrorCode | null;
  }
}

/**
 * The one place where a request becomes somebody. It comes before the body is read, and a route that does not
 * say who may call it ends the start of the hub.
 */
export function guard(app: FastifyInstance, context: HttpContext): void {
  app.decorateRequest('who', null);
  app.decorateRequest('fault', null);
  refuseUnguarded(app);
  app.addHook('onRequest', async (request) => {
    if (request.is404) return;
    const { access, doing } = request.routeOptions.config;
    if (access === undefined) throw new AdbreakError('forbidden', 'Cannot answer: nobody may call this');
    request.who = principalOf(request, access, doing, context);
  });
}

/** For every route that is registered from here on. */
export function refuseUnguarded(app: FastifyInstance): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.access === undefined)
      throw new AdbreakError(
        'internal',
        `Cannot start the hub: the route ${method} ${url} does not say who may call it`,
      );
  });
}

function principalOf(
  request: FastifyRequest,
  access: Access,
  doing: string | undefined,
  { store, certificates, now }: HttpContext,
): Principal | null {
  switch (access) {
    case 'public':
      return null;
    case 'device':
      return currentDevice(request, certificates);
    case 'late-device':
      return deviceShown(request, certificates).device;
    case 'viewer':
    case 'operator':
    case 'admin': {
      const secret = /^Bearer ([\w-]{1,120})$/.exec(request.headers.authorization ?? '')?.[1];
      const person = holderOf(store.state, secret, now());
      // Who is refused for the role has a name all the same, in log and audit.
      request.who = person;
      requireRole(person, access, doing);
      return person;
    }
  }
}

/**
 * The device behind a client certificate that is in its time. `authorized` alone says too little: Node gives
 * it to a resumed TLS 1.3 session too, for which nobody showed a certificate. The certificate itself counts,
 * and that it is the enrolled one.
 */
function currentDevice(request: FastifyRequest, certificates: DeviceCertificates): CertifiedDevice {
  const { device, print, ends } = deviceShown(request, certificates);
  // Ours and known: of OpenSSL's reasons only the dates are left.
  if (!(request.raw.socket instanceof TLSSocket && request.raw.socket.authorized))
    throw new AdbreakError(
      'identity_expired',
      `Cannot answer: the certificate of ${device.id} is not in its time; it ends at ${new Date(ends).toISOString()}`,
      {
        remedy: 'The agent renews it by itself within the grace period; later it needs a new claim token.',
      },
    );
  const refusal = certificates.admit(device.id, print);
  if (refusal !== null) throw refusal;
  return device;
}

/**
 * The device whose certificate the other side has shown, and whose key it has proved to hold; its dates are
 * not looked at.
 */
function deviceShown(request: FastifyRequest, certificates: DeviceCertificates) {
  const { socket } = request.raw;
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (shown === undefined)
    throw new AdbreakError('unauthorized', 'Cannot answer: this needs a device certificate');
  const { id, print, ends } = certificates.identify(shown.raw);
  const device: CertifiedDevice = { kind: 'device', id, certificate: shown.raw };
  return { device, print, ends };
}
