import { z } from 'zod';
import { ROLES } from './access.js';
import { instant } from './common.js';
import { contract } from './contract.js';

export const TOKEN_DAYS = 365;
export const MOST_TOKEN_DAYS = 3650;
const id = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be lower-case letters, digits and dashes');

/** A token without its secret. `endless`: of before tokens ended; it goes on until it is revoked. */
const tokenView = z.object({
  id: z.string(),
  role: z.enum(ROLES),
  created: instant,
  expires: instant.nullable(),
  revoked: instant.nullable(),
  standing: z.enum(['valid', 'endless', 'expired', 'revoked']),
});

const create = contract({
  method: 'POST',
  path: '/api/v1/tokens',
  access: 'admin',
  summary: 'Makes a bearer token for a person or a script; it is shown once.',
  body: z.strictObject({
    /** Nobody else ever gets this name: the audit log tells by it who has changed what. */
    id,
    role: z.enum(ROLES),
    days: z.number().gt(0).max(MOST_TOKEN_DAYS).default(TOKEN_DAYS),
  }),
  bodyIs: 'the token',
  answer: z.object({ id: z.string(), role: z.enum(ROLES), token: z.string(), expires: instant }),
  status: 201,
});
const list = contract({
  method: 'GET',
  path: '/api/v1/tokens',
  access: 'admin',
  summary: 'All tokens, without their secrets.',
  answer: z.object({ tokens: z.array(tokenView) }),
});
const revoke = contract({
  method: 'POST',
  path: '/api/v1/tokens/{id}/revoke',
  access: 'admin',
  summary: 'Ends a token at once. The last administrator’s token stays.',
  params: z.object({ id }),
  answer: tokenView,
});

export const tokens = { create, list, revoke };
