import { isRole } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS } from '@adbreak/shared/contract/http/all.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import type { Attack } from '../attack.js';
import { type Asked, ask, JSON_BODY, refusalOf, refuseAll } from './ask.js';
import { attempt } from './roles.js';

/** Ways to what takes a role, or lies beside what is served, for who has nothing. */
const AROUND: readonly (readonly [path: string, refused: ErrorCode])[] = [
  ['/api/v1/overview/', 'not_found'],
  ['//api/v1/overview', 'not_found'],
  ['/api//v1/overview', 'not_found'],
  ['/API/V1/OVERVIEW', 'not_found'],
  ['/api/v1/./overview', 'not_found'],
  ['/healthz/../api/v1/overview', 'not_found'],
  ['/healthz/..;/api/v1/overview', 'not_found'],
  ['/api/v1/overview;public=true', 'not_found'],
  ['/api/v1/overview%00', 'not_found'],
  ['/api/v1/overview%2f', 'not_found'],
  ['/api/v1/%6fverview', 'unauthorized'],
  ['/%61pi/v1/overview', 'unauthorized'],
  ['/api/v1/overview?access=public', 'unauthorized'],
  ['/api/v1/overview#/healthz', 'unauthorized'],
  ['https://localhost/api/v1/overview', 'unauthorized'],
  ['/%2e%2e/%2e%2e/identity/ca.key', 'not_found'],
  ['/..%2f..%2fidentity%2fca.key', 'not_found'],
  ['/identity/ca.key', 'not_found'],
  ['/hub.db', 'not_found'],
  ['/.gitignore', 'not_found'],
];
const UP = [
  '..',
  '%2e%2e',
  '..%2f..%2fidentity%2fca.key',
  '..%5c..%5cidentity',
  '%252e%252e',
  'ca.key%00.json',
];
/** What takes names from a path into the registry's folders. */
const FILES: readonly (readonly [path: (name: string) => string, by: 'certificate' | 'token'])[] = [
  [(name) => `/tuf/metadata/${name}`, 'certificate'],
  [(name) => `/tuf/targets/${name}/2.0.0/model.tflite`, 'certificate'],
  [(name) => `/tuf/targets/base-ad-detector/2.0.0/${name}`, 'certificate'],
  [(name) => `/api/v1/models/${name}/versions/2.0.0/download`, 'token'],
  [(name) => `/api/v1/models/base-ad-detector/versions/${name}/download`, 'token'],
  [(name) => `/api/v1/models/base-ad-detector/versions/${name}/manifest`, 'token'],
  [(name) => `/api/v1/rollouts/${name}/events`, 'token'],
];

/** Names that every object has, and that no model, device or rollout has. */
const PROTOTYPE = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
const NAMED = OPERATIONS.filter(({ contract }) => contract.params !== undefined);
/** Either is right: no such name may be, or nothing has it. */
const UNKNOWN = ['not_found', 'input_invalid'];

/** What takes JSON, and something of its own in it. */
const WITH_BODIES = OPERATIONS.filter(
  ({ contract: { access, body, bodyAs } }) => isRole(access) && body !== undefined && bodyAs === undefined,
);
const POISONS: readonly (readonly [what: string, text: string])[] = [
  ['`__proto__`', '{"__proto__":{"role":"admin","reason":"x"}}'],
  ['`__proto__`, escaped', '{"\\u005f_proto__":{"role":"admin","reason":"x"}}'],
  ['`constructor.prototype`', '{"constructor":{"prototype":{"role":"admin","reason":"x"}}}'],
  ['`__proto__` in what it holds', '{"tags":{"__proto__":"x"},"changes":[{"__proto__":{"model":"x"}}]}'],
];

const BODIES: readonly (readonly [what: string, text: string])[] = [
  ['`__proto__`', '{"__proto__":{"role":"admin"}}'],
  ['`constructor.prototype`', '{"constructor":{"prototype":{"role":"admin"}}}'],
  ['`__proto__` within', '{"device":null,"hours":{"__proto__":{"x":1}}}'],
  ['a name twice', '{"count":1,"count":"x"}'],
];

export const PATHS: readonly Attack[] = [
  ...AROUND.map(
    ([path, refused]): Attack => ({
      name: `asks for ${path}`,
      refused,
      attempt: async (ground, rogue) => refusalOf(await ask(ground, rogue, { path })),
    }),
  ),
  {
    name: 'climbs out of the folders by every name in a path that leads to a file',
    refused: 'not_found',
    attempt: async (ground, rogue) => {
      for (const [path, by] of FILES)
        for (const name of UP) {
          const token = ground.tokens.get('admin');
          const asked = { path: path(name), ...(by === 'token' ? { token } : { certified: true }) };
          const { code } = refusalOf(await ask(ground, rogue, asked), asked.path);
          if (!UNKNOWN.includes(code)) throw new Error(`${asked.path} was refused with ${code}`);
        }
      return { code: 'not_found' };
    },
  },
  ...PROTOTYPE.map(
    (name): Attack => ({
      name: `an administrator asks for ${name} wherever a path takes a name`,
      refused: 'not_found',
      attempt: async (ground, rogue) => {
        for (const { contract } of NAMED) {
          const { method } = contract;
          const path = contract.path.replace(/\{\w+\}/g, name);
          const body = method === 'GET' ? {} : { headers: JSON_BODY, send: '{"reason":"x"}' };
          const asked: Asked = { method, path, ...body, token: ground.tokens.get('admin') };
          const { code } = refusalOf(await ask(ground, rogue, asked), path);
          if (![...UNKNOWN, 'unauthorized', 'not_implemented'].includes(code))
            throw new Error(`${method} ${path} was refused with ${code}`);
        }
        return { code: 'not_found' };
      },
    }),
  ),
  ...BODIES.map(
    ([what, send]): Attack => ({
      name: `an administrator sends ${what} as a key`,
      refused: 'input_invalid',
      attempt: async (ground, rogue) => {
        const token = ground.tokens.get('admin');
        const asked = { method: 'POST', path: '/api/v1/claims', token, headers: JSON_BODY, send };
        return refusalOf(await ask(ground, rogue, asked));
      },
    }),
  ),
  ...POISONS.map(
    ([what, send]): Attack => ({
      name: `an administrator sends ${what} as a key wherever JSON is taken`,
      refused: 'input_invalid',
      attempt: async (ground, rogue) => {
        const token = ground.tokens.get('admin');
        const all = WITH_BODIES.map((one) => ({ ...attempt(one, ground), token, headers: JSON_BODY, send }));
        return refuseAll(ground, rogue, all, 'input_invalid');
      },
    }),
  ),
  ...[...PROTOTYPE, 'Viewer', 'viewer ', 'admin\u0000', 'x'.repeat(41)].map(
    (name): Attack => ({
      name: `an administrator makes an account of the name ${JSON.stringify(name).slice(0, 20)}`,
      refused: 'input_invalid',
      attempt: async (ground, rogue) => {
        const token = ground.tokens.get('admin');
        const send = JSON.stringify({ name, role: 'admin' });
        return refusalOf(
          await ask(ground, rogue, {
            method: 'POST',
            path: '/api/v1/users',
            token,
            headers: JSON_BODY,
            send,
          }),
        );
      },
    }),
  ),
];
