import { callBy } from '@adbreak/hub/cli/client.js';
import { Browser } from '@adbreak/hub/testing/browser.js';
import { ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import { accounts, SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import type { Attack } from '../attack.js';
import { type Ground, PASSWORD, type Rogue } from '../ground.js';
import { type Asked, addressOf, ask, refusalOf } from './ask.js';

const OVERVIEW = '/api/v1/overview';
const ANOTHER = 'six loud herons fly away';

/** What an attacker has got hold of, by the rogue who has it. */
const stolen = new WeakMap<Rogue, string>();

async function signedIn(
  ground: Ground,
  rogue: Rogue,
  name: string,
  planted: string | null = null,
): Promise<Browser> {
  // Each row from an address of its own: how often one may sign in is bounded.
  const browser = new Browser(ground.hub, addressOf(rogue));
  browser.cookie = planted;
  const { status } = await browser.post('/sign-in', { name, password: PASSWORD });
  if (status !== 303) throw new Error(`${name} cannot sign in: ${status}`);
  return browser;
}
/** An account for this row alone. */
async function account({ hub }: Ground, { device }: Rogue, role: Role = 'operator'): Promise<string> {
  await callBy(hub, accounts.add, { body: { name: device, role, password: PASSWORD } });
  return device;
}

/** A session of an account that was good until something happened to the account. */
function ended(
  what: string,
  happens: (ground: Ground, name: string, rogue: Rogue) => Promise<unknown>,
): Attack {
  return {
    name: `comes with a session of an account ${what}`,
    refused: 'unauthorized',
    prepare: async (ground, rogue) => {
      const name = await account(ground, rogue);
      const { cookie } = await signedIn(ground, rogue, name);
      const good = await ask(ground, rogue, { path: OVERVIEW, session: cookie ?? '' });
      if (good.status !== 200) throw new Error(`the session was never good: ${good.status}`);
      stolen.set(rogue, cookie ?? '');
      await happens(ground, name, rogue);
    },
    attempt: comeWithIt,
  };
}
async function comeWithIt(ground: Ground, rogue: Rogue): Promise<{ code: string }> {
  return refusalOf(await ask(ground, rogue, { path: OVERVIEW, session: stolen.get(rogue) ?? '' }));
}
const shapeOfASession = (i: number) => `adbreak_session_${String(i).padStart(40, '0')}`;

/** Ways in which a right session is not taken. */
const ELSEWHERE: readonly (readonly [where: string, asked: (session: string) => Asked])[] = [
  ['in another cookie', (session) => ({ path: OVERVIEW, headers: { cookie: `adbreak=${session}` } })],
  [
    'in a cookie of another prefix',
    (session) => ({ path: OVERVIEW, headers: { cookie: `__Secure-adbreak=${session}` } }),
  ],
  [
    'in a cookie of other letters',
    (session) => ({ path: OVERVIEW, headers: { cookie: `${SESSION_COOKIE.toUpperCase()}=${session}` } }),
  ],
  ['in the query', (session) => ({ path: `${OVERVIEW}?${SESSION_COOKIE}=${session}` })],
  ['as a token', (session) => ({ path: OVERVIEW, token: session })],
  ['cut short', (session) => ({ path: OVERVIEW, session: session.slice(0, -1) })],
  ['with a letter more', (session) => ({ path: OVERVIEW, session: `${session}0` })],
];

export const SESSIONS: readonly Attack[] = [
  {
    name: 'guesses sessions',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      for (let i = 0; i < 50; i++)
        refusalOf(await ask(ground, rogue, { path: OVERVIEW, session: shapeOfASession(i) }));
      return refusalOf(await ask(ground, rogue, { path: OVERVIEW, session: shapeOfASession(50) }));
    },
  },
  ...ELSEWHERE.map(
    ([where, asked]): Attack => ({
      name: `comes with a right session ${where}`,
      refused: 'unauthorized',
      attempt: async (ground, rogue) =>
        refusalOf(await ask(ground, rogue, asked(ground.sessions.get('admin') ?? ''))),
    }),
  ),
  {
    name: 'plants a session of its own making in a browser, and comes with it after the sign-in',
    refused: 'unauthorized',
    prepare: async (ground, rogue) => {
      const planted = shapeOfASession(7);
      const browser = await signedIn(ground, rogue, await account(ground, rogue, 'admin'), planted);
      if (browser.cookie === planted) throw new Error('the sign-in kept the planted session');
      stolen.set(rogue, planted);
    },
    attempt: comeWithIt,
  },
  {
    name: 'plants its own good session in an administrator’s browser, and comes with it after the sign-in',
    refused: 'unauthorized',
    prepare: async (ground, rogue) => {
      const { cookie } = await signedIn(ground, rogue, 'viewer');
      const browser = await signedIn(ground, rogue, await account(ground, rogue, 'admin'), cookie);
      if (browser.cookie === cookie) throw new Error('the sign-in kept the planted session');
      stolen.set(rogue, cookie ?? '');
    },
    attempt: comeWithIt,
  },
  {
    name: 'comes with a session that was signed out',
    refused: 'unauthorized',
    prepare: async (ground, rogue) => {
      const browser = await signedIn(ground, rogue, 'viewer');
      stolen.set(rogue, browser.cookie ?? '');
      await browser.post('/sign-out', {});
    },
    attempt: comeWithIt,
  },
  ended('that was removed', ({ hub }, name) => callBy(hub, accounts.remove, { params: { name } })),
  ended('that has another password', ({ hub }, name) =>
    callBy(hub, accounts.reset, { params: { name }, body: { password: ANOTHER } }),
  ),
  ended('whose role was taken', ({ hub }, name) =>
    callBy(hub, accounts.setRole, { params: { name }, body: { role: 'viewer' } }),
  ),
  ended('whose holder has changed the password elsewhere', async (ground, name, rogue) => {
    const own = await signedIn(ground, rogue, name);
    const { status } = await own.post('/account/password', {
      current: PASSWORD,
      password: ANOTHER,
      again: ANOTHER,
    });
    if (status >= 400) throw new Error(`the password could not be changed: ${status}`);
  }),
  {
    name: 'signs in as somebody who was removed',
    refused: 'unauthorized',
    prepare: async (ground, rogue) => {
      const name = await account(ground, rogue);
      await callBy(ground.hub, accounts.remove, { params: { name } });
    },
    attempt: async (ground, rogue) => {
      const browser = new Browser(ground.hub, addressOf(rogue));
      const { status } = await browser.post('/sign-in', { name: rogue.device, password: PASSWORD });
      if (browser.cookie !== null) throw new Error('it is signed in');
      return { code: status === 401 ? 'unauthorized' : `status ${status}` };
    },
  },
  ...ROLES.map(
    (role): Attack => ({
      name: `a session of the role ${role} comes in the clear`,
      refused: 'unauthorized',
      attempt: async (ground, rogue) => {
        const session = ground.sessions.get(role) ?? '';
        return refusalOf(await ask(ground, rogue, { path: OVERVIEW, session, plain: true }));
      },
    }),
  ),
];
