import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient } from '@adbreak/hub/broker/testing.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import type { Ground, Rogue } from '../ground.js';
import { addressOf, ask, askRaw, JSON_BODY, refusalOf } from './ask.js';

const CRLF = '\r\n';
const head = (...lines: readonly string[]) => [...lines, '', ''].join(CRLF);
const CLAIM = 'POST /api/v1/claims HTTP/1.1';
const LOOK = 'GET /api/v1/overview HTTP/1.1';
const JSON_LINE = 'content-type: application/json';
/** A is an administrator's token: who has one is let in, and sends what nobody may. */
const AUTHORIZED = 'authorization: Bearer A';

/** Bytes that say more than one thing, and what refuses them. */
const TRICKS: readonly (readonly [what: string, refused: ErrorCode, bytes: string])[] = [
  ['two Hosts', 'input_invalid', head(LOOK, 'host: localhost', 'Host: evil.example', AUTHORIZED)],
  ['no Host', 'input_invalid', head(LOOK, AUTHORIZED, 'connection: close')],
  [
    'a length and chunks',
    'input_invalid',
    `${head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: 2', 'transfer-encoding: chunked')}0${CRLF}${CRLF}`,
  ],
  [
    'two lengths',
    'input_invalid',
    `${head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: 2', 'content-length: 3')}{}`,
  ],
  [
    'a length below zero',
    'input_invalid',
    head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: -1'),
  ],
  [
    'chunks whose length is no number',
    'input_invalid',
    `${head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'transfer-encoding: chunked')}zz${CRLF}`,
  ],
  ['a header name with a space', 'input_invalid', head(LOOK, 'host: localhost', 'authorization : Bearer A')],
  ['NUL in a header', 'input_invalid', head(LOOK, 'host: localhost', 'x: a\0b')],
  ['HTTP/9.9', 'input_invalid', head('GET /api/v1/overview HTTP/9.9', 'host: localhost')],
  ['a head of 20 KB', 'input_too_large', head(LOOK, 'host: localhost', `x: ${'y'.repeat(20_000)}`)],
  [
    'a thousand headers',
    'unauthorized',
    head(LOOK, 'host: localhost', ...Array.from({ length: 1000 }, () => 'a: b')),
  ],
  ['a path of 10 KB', 'not_found', head(`GET /${'a'.repeat(10_000)} HTTP/1.1`, 'host: localhost')],
  [
    'another method in a header',
    'unauthorized',
    head(LOOK, 'host: localhost', 'x-http-method-override: OPTIONS', 'x-original-url: /healthz'),
  ],
  [
    'a user that it claims to be',
    'unauthorized',
    head(LOOK, 'host: localhost', 'x-remote-user: admin', 'x-forwarded-user: admin'),
  ],
  [
    'a token of two lines',
    'unauthorized',
    head(LOOK, 'host: localhost', 'authorization: Bearer A, Bearer A'),
  ],
  [
    'a body of 65 KB',
    'input_too_large',
    head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: 65537'),
  ],
  [
    'a body of 256 GB',
    'input_too_large',
    head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: 274877906944'),
  ],
];

async function pour(ground: Ground, rogue: Rogue): Promise<{ code: string }> {
  const chunk = `4000${CRLF}${' '.repeat(0x4000)}${CRLF}`;
  const begin = head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'transfer-encoding: chunked');
  return askRaw(ground, rogue, `${tokened(begin, ground)}${chunk.repeat(8)}`);
}
function tokened(bytes: string, { tokens }: Ground): string {
  return bytes.replaceAll('Bearer A', `Bearer ${tokens.get('admin')}`);
}

/** Bytes one at a time, until the hub has had enough of them. */
async function trickle(
  ground: Ground,
  rogue: Rogue,
  first: string,
  seconds: number,
): Promise<{ code: string }> {
  const { host, ca } = rogue.tls;
  const port = Number(new URL(ground.hub.hub).port);
  const client = await RawClient.open(rogue, { host, ca, port, localAddress: addressOf(rogue) });
  client.send(Buffer.from(tokened(first, ground), 'latin1'));
  const drop = async () => {
    while (!client.closed) {
      client.send(Buffer.from('x'));
      await sleep(500);
    }
  };
  await Promise.race([drop(), until('the end of it', () => client.closed, seconds)]);
  const text = client.received.toString('latin1');
  const body = text.slice(text.indexOf(`${CRLF}${CRLF}`) + 4);
  if (!text.startsWith('HTTP/1.1 4')) throw new Error(`it was answered with ${text.slice(0, 200)}`);
  return { code: String(JSON.parse(body).code) };
}

export const REQUESTS: readonly Attack[] = [
  ...TRICKS.map(
    ([what, refused, bytes]): Attack => ({
      name: `sends ${what}`,
      refused,
      attempt: (ground, rogue) => askRaw(ground, rogue, tokened(bytes, ground)),
    }),
  ),
  {
    name: 'sends a body in chunks, 128 KB and no end',
    refused: 'input_too_large',
    attempt: (ground, rogue) => ground.undisturbed(pour(ground, rogue)),
  },
  {
    name: 'a viewer sends a model of 200 MB',
    refused: 'forbidden',
    attempt: async (ground, rogue) => {
      const path = '/api/v1/models/base-ad-detector/versions/3.0.0';
      const bytes = head(
        `PUT ${path} HTTP/1.1`,
        'host: localhost',
        `authorization: Bearer ${ground.tokens.get('viewer')}`,
        'content-type: multipart/form-data; boundary=x',
        'content-length: 200000000',
      );
      return askRaw(ground, rogue, bytes);
    },
  },
  {
    name: 'sends JSON of 30,000 lists in each other',
    refused: 'input_invalid',
    attempt: async (ground, rogue) => {
      const send = `{"device":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
      const token = ground.tokens.get('admin');
      return refusalOf(
        await ask(ground, rogue, { method: 'POST', path: '/api/v1/claims', token, headers: JSON_BODY, send }),
      );
    },
  },
  {
    name: 'sends a head a byte at a time, without an end',
    refused: 'input_invalid',
    attempt: (ground, rogue) =>
      ground.undisturbed(trickle(ground, rogue, `${LOOK}${CRLF}host: localhost${CRLF}x: `, 40)),
  },
  {
    name: 'sends a body a byte at a time, without an end',
    refused: 'input_invalid',
    attempt: (ground, rogue) => {
      const first = head(CLAIM, 'host: localhost', AUTHORIZED, JSON_LINE, 'content-length: 60000');
      return ground.undisturbed(trickle(ground, rogue, first, 150));
    },
  },
];
