import { randomBytes } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import type { HubState, Role } from '../store/state.js';
import { ROLES } from '../store/state.js';
import { UnknownSecret } from './guesses.js';

/** A secret shown once: 160 bits with a prefix that secret scanners can find. Only its hash is stored. */
export function newSecret(prefix: 'claim' | 'token'): { secret: string; hash: string } {
  const secret = `adbreak_${prefix}_${randomBytes(20).toString('hex')}`;
  return { secret, hash: sha256(secret) };
}

/**
 * Checks `Authorization: Bearer …` and the role behind it. Gives the token's id for the audit log. Hashes what was presented
 * once and compares hashes as they are: 160 random bits leave nothing to learn from the time that takes.
 */
export function authorize(
  state: Readonly<HubState>,
  header: string | undefined,
  needed: Role,
  what = 'this',
): string {
  const secret = /^Bearer ([\w-]{1,120})$/.exec(header ?? '')?.[1];
  if (secret === undefined)
    throw new AdbreakError('unauthorized', 'Cannot answer: the request has no bearer token');
  const presented = sha256(secret);
  const token = state.tokens.find(({ hash }) => hash === presented);
  if (token === undefined)
    throw new UnknownSecret('unauthorized', 'Cannot answer: the bearer token is not known');
  if (ROLES.indexOf(token.role) < ROLES.indexOf(needed))
    throw new AdbreakError(
      'forbidden',
      `Cannot answer: ${what} needs the role ${needed}; the token has ${token.role}`,
    );
  return `token:${token.id}`;
}
