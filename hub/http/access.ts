import { TLSSocket } from 'node:tls';
import type { Access } from '@adbreak/shared/contract/http/access.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DeviceCertificates } from '../identity/device-certificates.js';
import {
  type CertifiedDevice,
  holderOf,
  type Person,
  type Principal,
  requireRole,
  type SignedIn,
} from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import type { Strangers, Unread } from './floods.js';
import { refuseForeignPage, secretOf } from './session-cookie.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. */
    access?: Access;
    /** As a refusal says it. */
    doing?: string | undefined;
    /** How the body is written, where it is no JSON. */
    bodyAs?: string | undefined;
  }
  interface FastifyRequest {
    /** Who asks; null where a route is public, or nobody knows. */
    who: Principal | null;
    /** Why it was refused. */
    fault: ErrorCode | null;
  }
}

/** What those cost whom nobody knows, and those who read no answers. */
interface Costs {
  readonly strangers: Strangers;
  readonly unread: Unread;
}

/**
 * The one place where a request becomes somebody. It comes before the body is read, and a route that does not
 * say who may call it ends the start of the hub.
 */
export function guard(app: FastifyInstance, context: HttpContext, { strangers, unread }: Costs): void {
  app.decorateRequest('who', null);
  app.decorateRequest('fault', null);
  refuseUnguarded(app);
  app.addHook('onRequest', async (request) => {
    if (request.is404) {
      strangers.take(request);
      return;
    }
    const { access, doing } = request.routeOptions.config;
    if (access === undefined) throw new AdbreakError('forbidden', 'Cannot answer: nobody may call this');
    try {
      request.who = principalOf(request, access, doing, context);
    } finally {
      // Also where they are refused: that they are told so costs as much.
      if (request.who === null) strangers.take(request);
    }
    unread.look(request);
    if (access === 'visitor' || request.who?.kind === 'person') refuseForeignPage(request);
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
  context: HttpContext,
): Principal | null {
  const { certificates } = context;
  switch (access) {
    case 'public':
      return null;
    case 'visitor':
      return signedIn(request, context);
    case 'device':
      return currentDevice(request, context);
    case 'late-device':
      return deviceShown(request, certificates).device;
    case 'viewer':
    case 'operator':
    case 'admin': {
      const person = personOf(request, context);
      // Who is refused for the role has a name all the same, in log and audit.
      request.who = person;
      requireRole(person, access, doing);
      return person;
    }
  }
}

/** By its token, or where there is none by its session. */
function personOf(request: FastifyRequest, context: HttpContext): Person {
  const { authorization } = request.headers;
  if (authorization === undefined && secretOf(request) !== null) {
    const person = signedIn(request, context);
    if (person !== null) return person;
    throw new AdbreakError('unauthorized', 'Cannot answer: the session has ended', {
      remedy: 'Sign in again, on the page /sign-in.',
    });
  }
  const secret = /^Bearer ([\w-]{1,120})$/.exec(authorization ?? '')?.[1];
  return holderOf(context.store.state, secret, context.judged());
}

function signedIn(request: FastifyRequest, { people }: HttpContext): SignedIn | null {
  const secret = secretOf(request);
  return secret === null ? null : people.signIn.holder(secret);
}

/**
 * The device behind a client certificate that is in its time. `authorized` alone says too little: Node gives
 * it to a resumed TLS 1.3 session too, for which nobody showed a certificate. The certificate itself counts,
 * and that it is the enrolled one.
 */
function currentDevice(request: FastifyRequest, { certificates, settled }: HttpContext): CertifiedDevice {
  const { device, print, ends } = deviceShown(request, certificates);
  // Ours and known: of OpenSSL's reasons only the dates are left. It looked once, and the connection goes on.
  const inTime = request.raw.socket instanceof TLSSocket && request.raw.socket.authorized;
  if (!inTime || ends <= settled().getTime())
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
