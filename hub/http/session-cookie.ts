import { TLSSocket } from 'node:tls';
import { SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyRequest } from 'fastify';
import { SESSION_MS } from '../accounts/sessions.js';

type Asked = Pick<FastifyRequest, 'raw' | 'headers'>;

const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';
const OURS = new RegExp(`(?:^|;)\\s*${SESSION_COOKIE}=(adbreak_session_[0-9a-f]{40})\\s*(?:;|$)`);
const READING = ['GET', 'HEAD', 'OPTIONS'];

export function cookieOf(secret: string): string {
  return `${SESSION_COOKIE}=${secret}; ${ATTRIBUTES}; Max-Age=${SESSION_MS / 1000}`;
}
/** Takes it away. */
export const NO_COOKIE = `${SESSION_COOKIE}=; ${ATTRIBUTES}; Max-Age=0`;

export function isSecure({ raw }: Pick<Asked, 'raw'>): boolean {
  return raw.socket instanceof TLSSocket;
}

/**
 * The secret of the session that a request comes with; null where it has none. In the clear there are no
 * sessions: a cookie of `localhost` goes to every port of it, and so to every program of the machine.
 */
export function secretOf(request: Asked): string | null {
  if (!isSecure(request)) return null;
  return OURS.exec(request.headers.cookie ?? '')?.[1] ?? null;
}

/**
 * A browser adds the cookie to what a page of elsewhere sends in its holder's name (cross-site request
 * forgery); SameSite keeps it from most of them, not from another port of the same host. So what changes
 * something must come from a page of the hub itself, as Origin (RFC 6454 section 7) says, or where a browser
 * leaves that out, Fetch Metadata. Throws `forbidden`.
 */
export function refuseForeignPage({ raw, headers }: Asked): void {
  if (READING.includes(raw.method ?? '')) return;
  const { origin, host = '' } = headers;
  const own = `${isSecure({ raw }) ? 'https' : 'http'}://${host.toLowerCase()}`;
  if (origin?.toLowerCase() === own) return;
  if (origin === undefined && headers['sec-fetch-site'] === 'same-origin') return;
  const whence = origin === undefined ? 'it does not say from which page' : `from ${JSON.stringify(origin)}`;
  throw new AdbreakError('forbidden', `Cannot take this from a page that is not the hub’s own: ${whence}`, {
    remedy: 'Use the pages of the hub; scripts use a token (`adbreak tokens create`) and no session.',
  });
}
