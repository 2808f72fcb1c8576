import { isRole } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS } from '@adbreak/shared/contract/http/all.js';
import { FORM } from '@adbreak/shared/contract/http/contract.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import type { Attack } from '../attack.js';
import { type Ground, PASSWORD } from '../ground.js';
import { type Asked, ask, JSON_BODY, refusalOf, refuseAll } from './ask.js';
import { attempt } from './roles.js';

/** What a page of elsewhere can have the browser of an administrator send; H stands for the hub's own origin. */
const PAGES: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
  ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['another port of the hub', { origin: 'H1', 'sec-fetch-site': 'same-site' }],
  ['the hub in the clear', { origin: 'http://localhost', 'sec-fetch-site': 'cross-site' }],
  ['a site that is named like the hub', { origin: 'H.evil.example' }],
  ['nowhere that it says', {}],
  [
    'a site that says it is the same one',
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
];
const KINDS: readonly (readonly [what: string, type: string, send: string])[] = [
  ['JSON', 'application/json', '{"count":1}'],
  ['JSON as text', 'text/plain', '{"count":1}'],
  ['a form', FORM, 'count=1'],
];
/** Names and origins under which a page of elsewhere comes to the plain port; P stands for the port. */
const REBOUND: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['a name that leads to 127.0.0.1', { host: 'evil.example:P' }],
  ['the same without a port', { host: 'evil.example' }],
  ['a name that begins like localhost', { host: 'localhost.evil.example:P' }],
  ['a service for such names', { host: '127.0.0.1.nip.io:P' }],
  ['a name in front of localhost', { host: 'evil.example@localhost:P' }],
  ['all addresses', { host: '0.0.0.0:P' }],
  ['its own origin', { origin: 'https://evil.example' }],
  ['no origin', { origin: 'null' }],
  ['another port of this machine', { origin: 'http://localhost:3000' }],
  ['another site, as the browser says', { 'sec-fetch-site': 'cross-site' }],
];

/** RFC 6455 section 4.1. */
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
  origin: 'https://evil.example',
};

function row(name: string, refused: ErrorCode, asked: (ground: Ground) => Asked): Attack {
  return {
    name,
    refused,
    attempt: async (ground, rogue) => refusalOf(await ask(ground, rogue, asked(ground))),
  };
}
function changed(headers: Readonly<Record<string, string>>, change: (value: string) => string) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, change(value)]));
}

export const ELSEWHERE: readonly Attack[] = [
  ...PAGES.flatMap(([page, headers]) =>
    KINDS.map(([kind, type, send]) =>
      row(`a page of ${page} sends ${kind} in an administrator’s name`, 'forbidden', ({ hub, sessions }) => ({
        method: 'POST',
        path: '/api/v1/claims',
        session: sessions.get('admin'),
        headers: { 'content-type': type, ...changed(headers, (value) => value.replace(/^H/, hub.hub)) },
        send,
      })),
    ),
  ),
  row('the hub’s own page sends a form where JSON is taken', 'input_invalid', ({ hub, sessions }) => ({
    method: 'POST',
    path: '/api/v1/claims',
    session: sessions.get('admin'),
    headers: { 'content-type': FORM, origin: hub.hub },
    send: 'count=1',
  })),
  row('a page of elsewhere signs somebody in as somebody else', 'forbidden', () => ({
    method: 'POST',
    path: '/sign-in',
    headers: { 'content-type': FORM, origin: 'https://evil.example' },
    send: new URLSearchParams({ name: 'viewer', password: PASSWORD }).toString(),
  })),
  row('a page of elsewhere signs somebody out', 'forbidden', ({ sessions }) => ({
    method: 'POST',
    path: '/sign-out',
    session: sessions.get('admin'),
    headers: { origin: 'https://evil.example' },
  })),
  ...REBOUND.map(([what, headers]) =>
    row(`a page on the hub’s machine comes to the plain port by ${what}`, 'forbidden', ({ hub, tokens }) => ({
      plain: true,
      method: 'POST',
      path: '/api/v1/claims',
      token: tokens.get('admin'),
      headers: { ...JSON_BODY, ...changed(headers, (value) => value.replace(/P$/, String(hub.localPort))) },
      send: '{}',
    })),
  ),
  ...['/mqtt', '/ws', '/api/v1/ws', '/socket.io/'].map((path) =>
    row(`a page of elsewhere opens a WebSocket at ${path}`, 'input_invalid', ({ sessions }) => ({
      path,
      session: sessions.get('admin'),
      headers: UPGRADE,
    })),
  ),
  {
    name: 'a page of elsewhere opens a WebSocket wherever something is read, with an administrator’s session',
    refused: 'input_invalid',
    attempt: (ground, rogue) => {
      const session = ground.sessions.get('admin');
      const read = OPERATIONS.filter(
        ({ contract: { method, access } }) => method === 'GET' && (isRole(access) || access === 'visitor'),
      );
      const all = read.map((one) => ({ ...attempt(one, ground), session, headers: UPGRADE }));
      return refuseAll(ground, rogue, all, 'input_invalid');
    },
  },
  row('a device comes to the plain port without TLS', 'unauthorized', () => ({
    plain: true,
    path: '/tuf/metadata/timestamp.json',
    headers: { 'x-ssl-client-verify': 'SUCCESS', 'x-client-cert': 'good', 'x-forwarded-client-cert': 'good' },
  })),
];
