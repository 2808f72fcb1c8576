import { randomBytes, timingSafeEqual } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { HubState, Role } from '../store/state.js';
import { ROLES } from '../store/state.js';

/** A secret shown once: 160 bits with a prefix that secret scanners can find. Only its hash is stored. */
export function newSecret(prefix: 'claim' | 'token'): { secret: string; hash: string } {
  const secret = `adbreak_${prefix}_${randomBytes(20).toString('hex')}`;
  return { secret, hash: sha256(secret) };
}

function matches(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(secret), 'hex'), Buffer.from(hash, 'hex'));
}

/** The claim that a card's token stands for. Throws `token_invalid` or `token_used`; says nothing of other claims. */
export function findClaim(state: Readonly<HubState>, secret: string, device: string, now: Date): HubState['claims'][number] {
  const claim = state.claims.find(({ hash }) => matches(secret, hash));
  if (claim === undefined) throw new AdbreakError('token_invalid', `Cannot enrol ${device}: its claim token is not known to this hub`);
  if (Date.parse(claim.expires) < now.getTime()) throw new AdbreakError('token_invalid', `Cannot enrol ${device}: its claim token expired at ${claim.expires}`);
  if (claim.usedBy !== null) throw new AdbreakError('token_used', `Cannot enrol ${device}: its claim token was used by ${claim.usedBy}`);
  if (claim.device !== null && claim.device !== device)
    throw new AdbreakError('token_invalid', `Cannot enrol ${device}: its claim token is for another device`);
  return claim;
}

/** Checks `Authorization: Bearer …` and the role behind it. Gives the token's id for the audit log. */
export function authorize(state: Readonly<HubState>, header: string | undefined, needed: Role): string {
  const secret = /^Bearer ([\w-]{1,120})$/.exec(header ?? '')?.[1];
  if (secret === undefined) throw new AdbreakError('unauthorized', 'Cannot answer: the request has no bearer token');
  const token = state.tokens.find(({ hash }) => matches(secret, hash));
  if (token === undefined) throw new AdbreakError('unauthorized', 'Cannot answer: the bearer token is not known');
  if (ROLES.indexOf(token.role) < ROLES.indexOf(needed))
    throw new AdbreakError('forbidden', `Cannot answer: this needs the role ${needed}; the token has ${token.role}`);
  return `token:${token.id}`;
}
