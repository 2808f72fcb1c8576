import { callHub } from '@adbreak/hub/cli/client.js';
import { Browser } from '@adbreak/hub/testing/browser.js';
import { card } from '@adbreak/hub/testing/cards.js';
import { FORM } from '@adbreak/shared/contract/http/contract.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { Attack } from '../attack.js';
import { type Ground, PASSWORD, type Rogue } from '../ground.js';
import { type Asked, addressOf, ask, JSON_BODY, refusalOf } from './ask.js';

const OVERVIEW = '/api/v1/overview';
const guess = (kind: string, i: number) => `adbreak_${kind}_${String(i).padStart(40, '0')}`;

/** Tries until it is told to wait; 50 are more than any bucket holds. */
async function guessed(
  ground: Ground,
  rogue: Rogue,
  shot: (i: number) => Asked,
  wrong: ErrorCode,
): Promise<{ code: string }> {
  for (let i = 0; i < 50; i++) {
    const { code } = refusalOf(await ask(ground, rogue, shot(i)), `guess ${i}`);
    if (code !== wrong) return { code };
  }
  throw new Error('it may guess as often as it likes');
}

async function enrolment(token: string, device: string): Promise<Asked> {
  const { csr } = await card(device);
  const send = JSON.stringify({ token, device, csr, instance: 'rogue' });
  return { method: 'POST', path: '/api/v1/enrol', headers: JSON_BODY, send };
}
async function freshClaim(ground: Ground): Promise<string> {
  const answer = await callHub(ground.hub, '/api/v1/claims', { method: 'POST', json: {} });
  return z.object({ tokens: z.tuple([z.string()]) }).parse(answer).tokens[0];
}
/** Of a rogue, the enrolment that it sends again. */
const repeated = new WeakMap<Rogue, Asked>();
/** Claims that were raced for, by the rogue who did. */
const raced = new WeakMap<Rogue, string>();

function form(path: string, fields: Record<string, string>, origin: string): Asked {
  const headers = { origin, 'content-type': FORM };
  return { method: 'POST', path, headers, send: new URLSearchParams(fields).toString() };
}
/** As many guesses as may come at once of each of ten addresses, and one more. */
async function fillTheQueue(ground: Ground, rogue: Rogue): Promise<number[]> {
  const addresses = Array.from({ length: 10 }, (_, i) => `127.4.${numberOf(rogue)}.${i + 1}`);
  const answers = addresses.flatMap((address) => {
    const browser = new Browser(ground.hub, address);
    return Array.from({ length: 11 }, (_, i) =>
      browser.post('/sign-in', { name: `nobody-${i}`, password: `guess of ${address} number ${i}` }),
    );
  });
  return (await Promise.all(answers)).map(({ status }) => status);
}
function numberOf({ device }: Rogue): number {
  return Number(/\d+$/.exec(device)?.[0] ?? 0) & 255;
}

/** Pages refuse as pages: by their status. */
async function statusOf(ground: Ground, rogue: Rogue, asked: Asked): Promise<number> {
  return (await ask(ground, rogue, asked)).status;
}
const REFUSED: Readonly<Record<number, ErrorCode>> = { 401: 'unauthorized', 429: 'too_many_requests' };

/** Of a hundred passwords that are looked at, each of ten addresses has one before anybody has a second. */
const MOST_MS = 2500;

export const GUESSING: readonly Attack[] = [
  {
    name: 'guesses tokens',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const shot = (i: number) => ({ path: OVERVIEW, token: guess('token', i) });
      const heard = await guessed(ground, rogue, shot, 'unauthorized');
      // Its right one is found at once, from the same address.
      const right = await ask(ground, rogue, { path: OVERVIEW, token: ground.tokens.get('viewer') });
      if (right.status !== 200) throw new Error('a right token waits for wrong ones');
      return heard;
    },
  },
  {
    name: 'guesses tokens behind the addresses that it says it forwards for',
    refused: 'too_many_requests',
    attempt: (ground, rogue) =>
      guessed(
        ground,
        rogue,
        (i) => {
          const address = `192.0.2.${i}`;
          const headers = { 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address };
          return { path: OVERVIEW, token: guess('token', i), headers };
        },
        'unauthorized',
      ),
  },
  {
    name: 'guesses claims',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const { csr } = await card('guessed');
      const shot = (i: number) => {
        const send = JSON.stringify({ token: guess('claim', i), device: 'guessed', csr, instance: 'rogue' });
        return { method: 'POST', path: '/api/v1/enrol', headers: JSON_BODY, send };
      };
      return guessed(ground, rogue, shot, 'token_invalid');
    },
  },
  {
    name: 'comes with a claim for which eight cards have raced, and one has won',
    refused: 'token_used',
    prepare: async (ground, rogue) => {
      const claim = await freshClaim(ground);
      raced.set(rogue, claim);
      const cards = await Promise.all(
        Array.from({ length: 8 }, (_, i) => enrolment(claim, `${rogue.device}-card-${i}`)),
      );
      const answers = await Promise.all(cards.map((one) => ask(ground, rogue, one)));
      const won = answers.filter(({ status }) => status < 400).length;
      if (won !== 1) throw new Error(`${won} of 8 cards got an identity for one claim`);
    },
    attempt: async (ground, rogue) =>
      refusalOf(await ask(ground, rogue, await enrolment(raced.get(rogue) ?? '', `${rogue.device}-late`))),
  },
  {
    name: 'asks for its certificate again and again, with the claim that it has used',
    refused: 'too_many_requests',
    prepare: async (ground, rogue) => {
      const asked = await enrolment(await freshClaim(ground), `${rogue.device}-card`);
      repeated.set(rogue, asked);
      if ((await ask(ground, rogue, asked)).status !== 200) throw new Error('it was not enrolled');
    },
    attempt: async (ground, rogue) => {
      const asked = repeated.get(rogue) ?? { path: '/' };
      const again = async () => {
        for (let i = 0; i < 50; i++) {
          const { code } = await ask(ground, rogue, asked);
          if (code !== null) return { code };
        }
        throw new Error('the hub tells its fleet what to run as often as it likes');
      };
      return ground.undisturbed(again());
    },
  },
  {
    name: 'comes with a token that was revoked',
    refused: 'unauthorized',
    attempt: async (ground, rogue) =>
      refusalOf(await ask(ground, rogue, { path: OVERVIEW, token: ground.tokens.get('lost') })),
  },
  ...(
    [
      ['in the query', (token) => ({ path: `${OVERVIEW}?token=${token}&access_token=${token}` })],
      ['as a Basic password', (token) => basic(token)],
      ['in a cookie', (token) => ({ path: OVERVIEW, headers: { cookie: `token=${token}` } })],
      ['as a session', (token) => ({ path: OVERVIEW, session: token })],
    ] satisfies [string, (token: string) => Asked][]
  ).map(
    ([where, shot]): Attack => ({
      name: `comes with a right token ${where}`,
      refused: 'unauthorized',
      attempt: async (ground, rogue) =>
        refusalOf(await ask(ground, rogue, shot(ground.tokens.get('admin') ?? ''))),
    }),
  ),
  {
    name: 'guesses an administrator’s password, whom it does not keep out by that',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      for (let i = 0; i < 50; i++) {
        const fields = { name: 'admin', password: `guess number ${i} of many` };
        const status = await statusOf(ground, rogue, form('/sign-in', fields, ground.hub.hub));
        if (status < 400) throw new Error(`guess ${i} was let in`);
        if (status === 429) {
          const own = new Browser(ground.hub, '127.2.0.1');
          const { status: answered } = await own.post('/sign-in', { name: 'admin', password: PASSWORD });
          if (answered !== 303) throw new Error(`the administrator is kept out: ${answered}`);
          await own.post('/sign-out', {});
          return { code: REFUSED[status] ?? String(status) };
        }
      }
      throw new Error(`it may guess as often as it likes from ${addressOf(rogue)}`);
    },
  },
  {
    name: 'fills the queue of passwords from ten addresses, and keeps nobody else waiting by that',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const flood = fillTheQueue(ground, rogue);
      const begun = performance.now();
      const own = new Browser(ground.hub, '127.2.0.1');
      const { status } = await own.post('/sign-in', { name: 'viewer', password: PASSWORD });
      const waited = performance.now() - begun;
      await own.post('/sign-out', {});
      const statuses = await ground.undisturbed(flood);
      if (status !== 303) throw new Error(`who has an account was answered with ${status}`);
      if (waited > MOST_MS) throw new Error(`who has an account waited ${waited.toFixed(0)} ms`);
      if (!statuses.every((one) => one === 401 || one === 429)) throw new Error(`${statuses}`);
      const refused = statuses.find((one) => one === 429);
      return { code: REFUSED[refused ?? 0] ?? 'nothing' };
    },
  },
  {
    name: 'guesses the link of the first administrator',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      const password = 'a rogue of many words';
      const fields = { code: guess('first', 1), name: 'rogue', password, again: password };
      const status = await statusOf(ground, rogue, form('/first', fields, ground.hub.hub));
      if (status < 400) throw new Error('it is an administrator');
      return { code: REFUSED[status] ?? String(status) };
    },
  },
];

function basic(token: string): Asked {
  const headers = { authorization: `Basic ${Buffer.from(`admin:${token}`).toString('base64')}` };
  return { path: OVERVIEW, headers };
}
