import { randomBytes } from 'node:crypto';
import { mayAs, type Role } from '@adbreak/shared/contract/http/access.js';
import { TOKEN_DAYS } from '@adbreak/shared/contract/http/tokens.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { HubState } from '../store/state.js';
import { UnknownSecret } from './guesses.js';

export type Token = HubState['tokens'][number];

/** Who asks, once it is known: the handlers of requests get this, and never look at what was presented. */
export interface TokenHolder {
  readonly kind: 'token';
  readonly id: string;
  readonly role: Role;
}
/** Somebody who has signed in. */
export interface SignedIn {
  readonly kind: 'person';
  readonly id: string;
  readonly role: Role;
  /** The hash of the session's secret. */
  readonly session: string;
}
/** A program or a machine that commands over MQTT, by its certificate. */
export interface Commander {
  readonly kind: 'operator';
  readonly id: string;
  readonly role: Role;
}
export type Person = TokenHolder | SignedIn | Commander;
export interface CertifiedDevice {
  readonly kind: 'device';
  readonly id: string;
  /** The certificate whose key it has proved to hold, DER. */
  readonly certificate: Buffer;
}
export type Principal = Person | CertifiedDevice;

/** As the audit log and events name it: `token:first`. */
export function nameOf({ kind, id }: Pick<Principal, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}

/** A secret shown once: 160 bits with a prefix that secret scanners can find. Only its hash is stored. */
export function newSecret(prefix: 'claim' | 'token' | 'session' | 'first'): { secret: string; hash: string } {
  const secret = `adbreak_${prefix}_${randomBytes(20).toString('hex')}`;
  return { secret, hash: sha256(secret) };
}

const DAY_MS = 24 * 3_600_000;

/** A bearer token, and the row that the hub keeps of it. */
export function newToken(
  id: string,
  role: Role,
  now: Date,
  days: number = TOKEN_DAYS,
): { secret: string; row: Token & { readonly expires: string } } {
  const { secret, hash } = newSecret('token');
  const expires = new Date(now.getTime() + days * DAY_MS).toISOString();
  return { secret, row: { id, hash, role, created: now.toISOString(), expires } };
}

/** Whether a token still opens anything. `endless`: of before tokens ended. */
export function standingOf(
  { expires, revoked }: Token,
  now: Date,
): 'valid' | 'endless' | 'expired' | 'revoked' {
  if (revoked !== undefined) return 'revoked';
  if (expires === undefined) return 'endless';
  return Date.parse(expires) <= now.getTime() ? 'expired' : 'valid';
}

/**
 * Who holds a bearer token. It is hashed once and looked up by its hash, however many there are: 160 random
 * bits leave nothing to learn from the time that takes. Throws `unauthorized`; what this hub never gave out
 * is an UnknownSecret.
 */
export function holderOf(state: Readonly<HubState>, secret: string | undefined, now: Date): TokenHolder {
  if (secret === undefined)
    throw new AdbreakError('unauthorized', 'Cannot answer: the request has no bearer token');
  const token = byHash(state.tokens).get(sha256(secret));
  if (token === undefined)
    throw new UnknownSecret('unauthorized', 'Cannot answer: the bearer token is not known');
  const { id, role, expires, revoked } = token;
  const standing = standingOf(token, now);
  if (standing === 'revoked')
    throw new AdbreakError('unauthorized', `Cannot answer: the token ${id} was revoked at ${revoked}`);
  if (standing === 'expired')
    throw new AdbreakError('unauthorized', `Cannot answer: the token ${id} expired at ${expires}`);
  return { kind: 'token', id, role };
}

/** The list is replaced and never changed, so that what was made of it holds as long as the list. */
const indexes = new WeakMap<readonly Token[], ReadonlyMap<string, Token>>();
function byHash(tokens: readonly Token[]): ReadonlyMap<string, Token> {
  const known = indexes.get(tokens);
  if (known !== undefined) return known;
  const index = new Map(tokens.map((token) => [token.hash, token]));
  indexes.set(tokens, index);
  return index;
}

/** Throws `forbidden` where what is asked takes a higher role than that of who asks. */
export function requireRole(
  { kind, id, role }: Pick<Person, 'kind' | 'id' | 'role'>,
  needed: Role,
  doing = 'this',
): void {
  if (mayAs(role, needed)) return;
  const whose = { token: 'the token', person: 'the account', operator: `the operator ${id}` }[kind];
  const message = `Cannot answer: ${doing} needs the role ${needed}; ${whose} has ${role}`;
  if (kind !== 'operator') throw new AdbreakError('forbidden', message);
  throw new AdbreakError('forbidden', message, {
    remedy: `Ask an administrator, or for more of a role: \`adbreak operators role ${id} ROLE\`.`,
  });
}
