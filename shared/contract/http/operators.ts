import { z } from 'zod';
import { OPERATOR_ROLES } from '../operators.js';
import { DEVICE_ID } from '../topics.js';
import { instant } from './common.js';
import { contract } from './contract.js';

export const OPERATOR_DAYS = 365;
const MOST_OPERATOR_DAYS = 3650;

/** A name has the form of a device's. */
const params = z.object({
  name: z.string().regex(DEVICE_ID, 'must be lower-case letters, digits and dashes'),
});
const role = z.enum(OPERATOR_ROLES);

/** Who commands over MQTT, and by which certificates. */
export const operatorView = z.object({
  name: z.string(),
  role,
  created: instant,
  certificates: z.array(
    z.object({ fingerprint: z.string(), issued: instant, ends: instant, revoked: instant.nullable() }),
  ),
});

const certificate = contract({
  method: 'POST',
  path: '/api/v1/operators/{name}/certificates',
  access: 'admin',
  summary: 'Makes a certificate with which a program commands over MQTT; docs/protocol/operators.md.',
  more: 'A known operator gets one more, under the role that it has; those before it go on.',
  params,
  body: z.strictObject({
    /** PKCS#10, PEM, with an EC P-256 or P-384 key, which stays where it was made. The name in it is not looked at. */
    csr: z.string().min(1).max(16_384),
    role,
    days: z.number().gt(0).max(MOST_OPERATOR_DAYS).default(OPERATOR_DAYS),
  }),
  bodyIs: 'the request for a certificate',
  answer: z.object({ name: z.string(), role, certificate: z.string(), authority: z.string() }),
  status: 201,
});
const list = contract({
  method: 'GET',
  path: '/api/v1/operators',
  access: 'admin',
  summary: 'All operators over MQTT, and their certificates.',
  answer: z.object({ operators: z.array(operatorView) }),
});
const setRole = contract({
  method: 'PUT',
  path: '/api/v1/operators/{name}/role',
  access: 'admin',
  summary: 'What an operator may do from now on, in open sessions too.',
  params,
  body: z.strictObject({ role }),
  bodyIs: 'the role',
  answer: operatorView,
});
const revoke = contract({
  method: 'POST',
  path: '/api/v1/operators/{name}/revoke',
  access: 'admin',
  summary: 'Ends all certificates of an operator, and its sessions.',
  params,
  answer: operatorView,
});

export const operators = { certificate, list, setRole, revoke };
