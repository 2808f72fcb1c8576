import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { refusalOf } from '@adbreak/shared/visitors.js';

export interface Request {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** This end of the connection. */
  readonly address: string | undefined;
}
interface Door {
  /** Names of this machine, beside loopback names and the address that was connected to. */
  readonly names: ReadonlySet<string>;
  /** Null where none is asked for: on the loopback. */
  readonly token: string | null;
}

export const COOKIE = 'adbreak-label';
const READING = ['GET', 'HEAD'];

/** Whether others than this machine's own programs can connect to an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Why a request is refused, or null: under a name that is not ours (DNS rebinding), by a page of elsewhere (Origin, and Fetch
 * Metadata, which browsers add), a write that a form of elsewhere could have sent, or without the token.
 */
export function doorRefusal(
  { method, headers, address }: Request,
  { names, token }: Door,
): AdbreakError | null {
  const { host, origin } = headers;
  const remedy = 'Open the page by the address that `adbreak label` printed.';
  const stranger = refusalOf({ host, origin, address }, names, remedy);
  if (stranger !== null) return stranger;
  const site = headers['sec-fetch-site'];
  // A link from elsewhere may lead to the page, and to nothing else.
  const isVisit = READING.includes(method) && headers['sec-fetch-mode'] === 'navigate';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
    return new AdbreakError('forbidden', 'Cannot answer a page of elsewhere', { remedy });
  if (!READING.includes(method) && !/^application\/json\b/i.test(headers['content-type'] ?? ''))
    return new AdbreakError('input_invalid', 'Cannot take a body that is not application/json');
  return token === null || holds(headers, token) ? null : unauthorized();
}

function unauthorized(): AdbreakError {
  return new AdbreakError('unauthorized', 'Cannot answer without the token of this labelling server', {
    remedy: 'Open the address that `adbreak label` printed when it started; it ends in /enter?token=….',
  });
}

function holds({ authorization, cookie }: IncomingHttpHeaders, token: string): boolean {
  const [, bearer] = /^Bearer (\S{1,200})$/i.exec(authorization ?? '') ?? [];
  return isToken(bearer, token) || isToken(cookieOf(cookie), token);
}

function cookieOf(header = ''): string | undefined {
  const pairs = header
    .slice(0, 8192)
    .split(';')
    .map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === COOKIE)?.[1];
}

/** In a time that tells nothing of it. */
export function isToken(given: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Kept by the browser, and sent by its pages of this server alone. */
export function cookieWith(token: string): string {
  return `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict`;
}
