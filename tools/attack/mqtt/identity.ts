import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPacket, deviceKey, publishPacket, RawClient } from '@adbreak/hub/broker/testing.js';
import { callHub } from '@adbreak/hub/cli/client.js';
import { Authority } from '@adbreak/hub/identity/authority.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import { assertHeardNothing, ended, type Ground, type Rogue, rawSession } from '../ground.js';

const CONNACK = 2;
const REFUSED = '20020005';
const PUBACK = 4;

/** Comes with other credentials under a name, and sends a word behind its CONNECT. */
async function comeAs(
  rogue: Rogue,
  credentials: { key?: string; cert?: string },
  device: string,
): Promise<void> {
  const { key: _, cert: __, ...address } = rogue.tls;
  const client = await RawClient.open(rogue, { ...address, ...credentials });
  client.send(connectPacket({ id: device }), publishPacket(`adbreak/v1/devices/${device}/events`, '{}'));
  await ended(client, 'its CONNECT');
  assertHeardNothing(client, PUBACK);
  const [answer = REFUSED] = client.packets(CONNACK);
  if (answer !== REFUSED) throw new Error(`it was answered with ${answer}`);
}
async function revoke(ground: Ground, { device }: Rogue): Promise<void> {
  await callHub(ground.hub, `/api/v1/devices/${device}/revoke`, { method: 'POST', json: {} });
}

export const IDENTITY: readonly Attack[] = [
  {
    name: 'takes the good device’s session over under its own certificate',
    refused: 'forbidden',
    attempt: async (ground, rogue) => {
      await comeAs(rogue, rogue.tls, ground.good);
      return { about: `the certificate is for ${rogue.device}` };
    },
  },
  {
    name: 'takes a session over with a copy of its card, while the card is there',
    refused: 'identity_in_use',
    attempt: async (_, rogue) => {
      const card = await rawSession(rogue);
      const copy = await RawClient.open(rogue, rogue.tls);
      copy.send(connectPacket({ id: rogue.device, instance: 'copy' }));
      await ended(copy, 'its CONNECT');
      card.send(Buffer.of(0xc0, 0));
      await until('the card goes on', () => card.packets(13).length === 1);
      return { about: rogue.device };
    },
  },
  {
    name: 'comes without a certificate',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      await comeAs(rogue, {}, ground.good);
      return { about: 'no client certificate' };
    },
  },
  {
    name: 'comes with a certificate of an authority of its own, under the good device’s name',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      const authority = await Authority.open(await temporaryFolder(), new Date());
      const { key, certificate } = await deviceKey(authority, ground.good);
      await comeAs(rogue, { key, cert: certificate }, ground.good);
      return { about: 'the client certificate is not accepted' };
    },
  },
  {
    name: 'comes with a certificate of the fleet’s authority that was given to nobody',
    refused: 'unauthorized',
    attempt: async (ground, rogue) => {
      await comeAs(rogue, await ground.forged(ground.good), ground.good);
      return { about: 'its certificate is not the enrolled one' };
    },
  },
  {
    name: 'comes with a certificate whose name is no device’s',
    refused: 'forbidden',
    attempt: async (ground, rogue) => {
      await comeAs(rogue, await ground.forged('Nobody_Here'), 'Nobody_Here');
      return { about: 'the certificate is for no device' };
    },
  },
  {
    name: 'comes with a certificate that has ended',
    refused: 'identity_expired',
    attempt: async (ground, rogue) => {
      const expired = await ground.forged(rogue.device, 1000);
      await sleep(2500);
      await comeAs(rogue, expired, rogue.device);
      return { about: 'refused' };
    },
  },
  {
    name: 'comes with a certificate that was revoked',
    refused: 'identity_revoked',
    prepare: revoke,
    attempt: async (_, rogue) => {
      await comeAs(rogue, rogue.tls, rogue.device);
      return { about: rogue.device };
    },
  },
  {
    name: 'goes on with a session whose certificate was revoked',
    refused: 'identity_revoked',
    prepare: async (ground, rogue) => {
      const client = await rawSession(rogue);
      const gone = once(client.socket, 'close');
      await revoke(ground, rogue);
      await Promise.race([
        gone,
        sleep(5000).then(() => Promise.reject(new Error('its session goes on for 5 s'))),
      ]);
    },
    attempt: async (_, rogue) => {
      await comeAs(rogue, rogue.tls, rogue.device);
      return { about: rogue.device };
    },
  },
  ...[0, 301, 65_535].map(
    (keepalive): Attack => ({
      name: `asks for a keep alive of ${keepalive} s`,
      refused: 'input_invalid',
      attempt: async (_, rogue) => {
        const client = await RawClient.open(rogue, rogue.tls);
        client.send(connectPacket({ id: rogue.device, keepalive }));
        await ended(client, 'its CONNECT');
        if (!client.packets(CONNACK).includes(REFUSED)) throw new Error('it was not refused');
        return { about: rogue.device };
      },
    }),
  ),
];
