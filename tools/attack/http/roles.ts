import { isRole, mayAs, type Role } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS, type Operation } from '@adbreak/shared/contract/http/all.js';
import type { Attack } from '../attack.js';
import type { Ground } from '../ground.js';
import { type Asked, ask, JSON_BODY, refusalOf, refuseAll } from './ask.js';

/** What each role may not, made from the contracts: a route that is new is tried by itself. */
function above(role: Role): readonly Operation[] {
  return OPERATIONS.filter(({ contract: { access } }) => isRole(access) && !mayAs(role, access));
}
const GUARDED = OPERATIONS.filter(({ contract: { access } }) => access !== 'public' && access !== 'visitor');

/** Names of what is there: where the door were open, something would be changed. */
function filled({ group, contract: { path } }: Operation, { good, rollout }: Ground): string {
  const ids: Readonly<Record<string, string>> = { rollouts: rollout, devices: good, tokens: 'operator' };
  const names: Readonly<Record<string, string>> = { accounts: 'operator' };
  return path.replace(/\{(\w+)\}/g, (_, part: string) => {
    if (part === 'id') return ids[group] ?? 'none';
    if (part === 'version') return '2.0.0';
    return part === 'name' ? (names[group] ?? 'base-ad-detector') : 'none';
  });
}
/** A request to an operation, with names of what is there and a body that says nothing. */
export function attempt(operation: Operation, ground: Ground): Asked {
  const { method } = operation.contract;
  const path = filled(operation, ground);
  return method === 'GET' ? { method, path } : { method, path, headers: JSON_BODY, send: '{}' };
}

function byToken(role: Role): Attack[] {
  return above(role).map((operation) => ({
    name: `a token of the role ${role}: ${operation.contract.method} ${operation.contract.path}`,
    refused: 'forbidden',
    attempt: async (ground, rogue) =>
      refusalOf(await ask(ground, rogue, { ...attempt(operation, ground), token: ground.tokens.get(role) })),
  }));
}
function inBulk(role: Role): Attack[] {
  return [
    {
      name: `a token of the role ${role}: all that is above it, at once`,
      refused: 'forbidden',
      attempt: (ground, rogue) => {
        const token = ground.tokens.get(role);
        const all = above(role).map((one) => ({ ...attempt(one, ground), token }));
        return refuseAll(ground, rogue, all, 'forbidden');
      },
    },
    {
      name: `a session of the role ${role}: all that is above it, at once`,
      refused: 'forbidden',
      attempt: (ground, rogue) => {
        const session = ground.sessions.get(role);
        const all = above(role).map((one) => {
          const asked = attempt(one, ground);
          return { ...asked, session, headers: { ...asked.headers, origin: ground.hub.hub } };
        });
        return refuseAll(ground, rogue, all, 'forbidden');
      },
    },
  ];
}

export const ROLE_ROWS: readonly Attack[] = [
  ...(['viewer', 'operator'] as const).flatMap((role) => [...byToken(role), ...inBulk(role)]),
  {
    name: 'nobody: everything that is not for everybody, at once',
    refused: 'unauthorized',
    attempt: (ground, rogue) => {
      const all = GUARDED.map((one) => attempt(one, ground));
      return refuseAll(ground, rogue, all, 'unauthorized');
    },
  },
  {
    name: 'a device’s certificate: everything that takes a role, at once',
    refused: 'unauthorized',
    attempt: (ground, rogue) => {
      const all = GUARDED.filter(({ contract: { access } }) => isRole(access));
      const asked = all.map((one) => ({ ...attempt(one, ground), certified: true }));
      return refuseAll(ground, rogue, asked, 'unauthorized');
    },
  },
  {
    name: 'an administrator’s token: everything that takes a certificate, at once',
    refused: 'unauthorized',
    attempt: (ground, rogue) => {
      const all = GUARDED.filter(({ contract: { access } }) => !isRole(access));
      const token = ground.tokens.get('admin');
      return refuseAll(
        ground,
        rogue,
        all.map((one) => ({ ...attempt(one, ground), token })),
        'unauthorized',
      );
    },
  },
];
