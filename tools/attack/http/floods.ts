import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient } from '@adbreak/hub/broker/testing.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import type { Ground, Rogue } from '../ground.js';
import { costsNothing, HALF_HELLO, open } from '../mqtt/floods.js';
import { addressOf, ask } from './ask.js';

const CRLF = '\r\n';
const LOOK = `GET /api/v1/openapi.json HTTP/1.1${CRLF}host: localhost${CRLF}${CRLF}`;
const UPLOADS = '/api/v1/models/base-ad-detector/versions';
const NOTHING = Buffer.alloc(0);
/** More than the kernels of both sides hold for a connection. */
const LARGE = Buffer.alloc(64 * 2 ** 20, 7);
const LARGE_NAME = createHash('sha256').update(LARGE).digest('hex');

const portOf = ({ hub }: Ground) => Number(new URL(hub.hub).port);

/** A connection to the hub's HTTPS, from the rogue's own address. */
function connected(ground: Ground, rogue: Rogue, certified = false): Promise<RawClient> {
  const { host, ca, key, cert } = rogue.tls;
  const port = portOf(ground);
  const certificate = certified ? { key, cert } : {};
  return RawClient.open(rogue, { host, ca, port, localAddress: addressOf(rogue), ...certificate });
}
const textOf = ({ received }: RawClient) => received.toString('latin1');

/** The code of the first refusal that one of them hears. */
async function firstRefusal(clients: readonly RawClient[]): Promise<{ code: string }> {
  const isRefusal = (client: RawClient) => /^HTTP\/1\.1 4\d\d.*\}$/s.test(textOf(client));
  const client = await until('one of them is refused', () => clients.find(isRefusal), 40);
  const text = textOf(client);
  return { code: String(JSON.parse(text.slice(text.indexOf(CRLF + CRLF) + 4)).error) };
}

/** The head of a new version, and the first bytes of its model: the rest never comes. */
function uploading(token: string | undefined, version: string): Buffer {
  const head = [
    `PUT ${UPLOADS}/${version} HTTP/1.1`,
    'host: localhost',
    `authorization: Bearer ${token}`,
    'content-type: multipart/form-data; boundary=x',
    'content-length: 200000000',
    '',
    '--x',
    'content-disposition: form-data; name="model"; filename="m"',
    '',
    'TFL3',
  ];
  return Buffer.from(head.join(CRLF));
}

export const HTTP_FLOODS: readonly Attack[] = [
  {
    name: 'sends 2,000 requests on one connection, and waits for no answer',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      await costsNothing(ground, async () => {
        const client = await connected(ground, rogue);
        client.send(Buffer.from(LOOK.repeat(2000)));
        await until('it is cut off', () => client.closed);
      });
      return { about: addressOf(rogue) };
    },
  },
  {
    name: 'asks for pages 1,000 times, and never says who it is',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const all = async () => {
        for (let i = 0; i < 1000; i++) {
          const { code } = await ask(ground, rogue, { path: '/healthz' });
          if (code !== null) return { code };
        }
        throw new Error('all of them were answered');
      };
      const heard = await ground.undisturbed(all());
      const own = await ask(ground, rogue, { path: '/api/v1/models', token: ground.tokens.get('viewer') });
      if (own.status !== 200) throw new Error('who has a token is refused for who has none');
      return heard;
    },
  },
  {
    name: 'begins 1,000 handshakes of HTTPS from one address',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const knock = async () => {
        for (let n = 0; n < 50; n += 1)
          for (const socket of await open(rogue, '127.0.14', 20, HALF_HELLO, portOf(ground)))
            socket.destroy();
      };
      await ground.undisturbed(knock());
      return { about: '127.0.14.1' };
    },
  },
  {
    name: 'holds 200 silent connections of HTTPS from each of seven addresses',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const networks = Array.from({ length: 7 }, (_, i) => `127.0.${20 + i}`);
      const silent = Promise.all(
        networks.map((network) => open(rogue, network, 200, NOTHING, portOf(ground))),
      );
      await ground.undisturbed(silent);
      for (let i = 0; i < 10; i++) {
        const { status } = await ask(ground, rogue, {
          path: '/api/v1/models',
          token: ground.tokens.get('viewer'),
        });
        if (status !== 200) throw new Error(`who has a token was answered with ${status}`);
      }
      return { about: 'it was silent longest' };
    },
  },
  {
    name: 'holds 30 connections of HTTPS under its certificate',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const clients: RawClient[] = [];
      for (let n = 0; n < 30; n += 1) clients.push(await connected(ground, rogue, true));
      await until('some are closed', () => clients.some(({ closed }) => closed));
      return { about: `of ${rogue.device}: it has` };
    },
  },
  {
    name: 'fetches 64 MB on eight connections, and reads nothing of it',
    refused: 'too_many_requests',
    prepare: ({ folder }) => writeFile(join(folder, 'registry/targets', LARGE_NAME), LARGE),
    attempt: async (ground, rogue) => {
      const clients: RawClient[] = [];
      let heard = { code: 'nothing' };
      await costsNothing(ground, async () => {
        for (let n = 0; n < 8; n += 1) {
          const client = await connected(ground, rogue, true);
          const path = `/tuf/targets/base-ad-detector/2.0.0/${LARGE_NAME}.model.tflite`;
          client.send(Buffer.from(`GET ${path} HTTP/1.1${CRLF}host: localhost${CRLF}${CRLF}`));
          // The first has its turn before the others come.
          if (n === 0) await sleep(500, client.socket.pause());
          clients.push(client);
        }
        heard = await firstRefusal(clients);
      });
      return heard;
    },
  },
  {
    name: 'an operator sends eight models at once, and none to its end',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const clients: RawClient[] = [];
      let heard = { code: 'nothing' };
      await costsNothing(ground, async () => {
        for (let n = 0; n < 8; n += 1) {
          const client = await connected(ground, rogue);
          client.send(uploading(ground.tokens.get('operator'), `9.0.${n}`));
          clients.push(client);
        }
        heard = await firstRefusal(clients);
      });
      return heard;
    },
  },
];
