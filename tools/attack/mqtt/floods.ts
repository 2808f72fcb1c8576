import { once } from 'node:events';
import { type Socket, connect as tcpConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { header, publishPacket, RawClient, subscribePacket } from '@adbreak/hub/broker/testing.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Attack } from '../attack.js';
import { ended, type Ground, type Rogue, rawSession } from '../ground.js';

/** The largest length that a fixed header can say: MQTT 3.1.1 section 2.2.3. */
const HUGE = 268_435_455;
const PIECE = Buffer.alloc(16 * 1024, 0x20);
/**
 * A packet that is refused by its header costs no memory; what the process takes beside it is less than this.
 */
const MOST_MIB = 48;

/** Announces a packet and sends it for as long as it is let. */
async function pour(client: RawClient, first: Buffer, bytes: number): Promise<void> {
  client.socket.write(first);
  for (let sent = 0; sent < bytes && !client.closed; sent += PIECE.length) {
    client.socket.write(PIECE);
    await until('room', () => client.closed || !client.socket.writableNeedDrain);
  }
}
export async function costsNothing(ground: Ground, attempt: () => Promise<void>): Promise<void> {
  const before = await ground.memory();
  await ground.undisturbed(attempt());
  const more = (await ground.memory()) - before;
  if (more > MOST_MIB) throw new Error(`the hub took ${more.toFixed(0)} MiB more`);
}

function huge(
  what: string,
  first: number,
  connected: boolean,
  refused: ErrorCode = 'input_too_large',
): Attack {
  return {
    name: `sends 256 MB as one ${what}, ${connected ? 'after' : 'before'} its CONNECT was accepted`,
    refused,
    attempt: async (ground, rogue) => {
      await costsNothing(ground, async () => {
        const client = connected ? await rawSession(rogue) : await RawClient.open(rogue, rogue.tls);
        await pour(client, header(first, HUGE), HUGE);
        await ended(client, what);
      });
      return { about: rogue.device };
    },
  };
}

/**
 * Connections that never come to a session, from addresses of this machine: a few hundred each, as an address
 * may hold.
 */
export async function open(
  rogue: Rogue,
  network: string,
  count: number,
  first: Buffer,
  port = rogue.tls.port,
): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, (_, i) => {
    const socket = tcpConnect({
      host: rogue.tls.host,
      port,
      localAddress: `${network}.${1 + Math.floor(i / 250)}`,
    });
    rogue.after(() => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.resume();
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'ready').catch(() => undefined)));
  for (const socket of sockets) if (first.length > 0) socket.write(first);
  return sockets;
}

/** How long the hub bears them: its limit, and what 500 timers and a busy machine add. */
const BORNE_MS = 20_000;
function idle(name: string, network: string, first: Buffer): Attack {
  return {
    name,
    refused: 'timed_out',
    attempt: async (ground, rogue) => {
      const sockets = await open(rogue, network, 500, first);
      await ground.undisturbed(sleep(3000));
      const left = () => sockets.filter(({ destroyed }) => !destroyed).length;
      if (left() < 500) throw new Error(`${500 - left()} of them were cut off at once`);
      await until('all of them are cut off', () => left() === 0, BORNE_MS / 1000);
      return { about: 'refused' };
    },
  };
}
/** The first bytes of a TLS record that announces a ClientHello of 512 bytes: RFC 8446 sections 5.1 and 4. */
export const HALF_HELLO = Buffer.from('1603010200010001fc0303', 'hex');

export const FLOODS: readonly Attack[] = [
  huge('CONNECT', 0x10, false),
  huge('PUBLISH', 0x32, false, 'input_invalid'),
  huge('PUBLISH', 0x32, true),
  huge('SUBSCRIBE', 0x82, true),
  huge('PINGREQ', 0xc0, true),
  {
    name: 'announces a length of five bytes',
    refused: 'input_invalid',
    attempt: async (_, rogue) => {
      const client = await rawSession(rogue);
      client.send(Buffer.of(0x32, 0x80, 0x80, 0x80, 0x80, 1));
      await ended(client, 'the header');
      return { about: rogue.device };
    },
  },
  idle('holds 500 connections that say nothing', '127.0.10', Buffer.alloc(0)),
  idle('holds 500 connections in the middle of their handshake', '127.0.11', HALF_HELLO),
  {
    name: 'opens more connections than one address may hold',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const sockets = await ground.undisturbed(
        Promise.all([1, 2, 3].map(() => open(rogue, '127.0.12', 200, Buffer.alloc(0)))),
      );
      const left = () => sockets.flat().filter(({ destroyed }) => !destroyed).length;
      await until('what is too much is cut off', () => left() <= 500);
      return { about: '127.0.12.1' };
    },
  },
  {
    name: 'begins 1,000 handshakes from one address',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const knock = async () => {
        for (let n = 0; n < 50; n += 1)
          for (const socket of await open(rogue, '127.0.13', 20, HALF_HELLO)) socket.destroy();
      };
      await ground.undisturbed(knock());
      return { about: '127.0.13.1' };
    },
  },
  {
    name: 'holds more connections than one device needs',
    refused: 'too_many_requests',
    attempt: async (_, rogue) => {
      const clients: RawClient[] = [];
      for (let n = 0; n < 12; n += 1) clients.push(await RawClient.open(rogue, rogue.tls));
      await until('some are turned away', () => clients.some(({ closed }) => closed));
      return { about: rogue.device };
    },
  },
  {
    name: 'shows a certificate and never says CONNECT',
    refused: 'timed_out',
    attempt: async (_, rogue) => {
      await ended(await RawClient.open(rogue, rogue.tls), 'its silence', 20);
      return { about: rogue.device };
    },
  },
  {
    name: 'sends 30,000 pings',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const client = await rawSession(rogue);
      const pings = Buffer.concat(Array.from({ length: 30_000 }, () => Buffer.of(0xc0, 0)));
      await ground.undisturbed(flooded(client, [pings]));
      return { about: rogue.device };
    },
  },
  {
    name: 'sends 30,000 events, and comes again when it was cut off',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const at = new Date().toISOString();
      const word = JSON.stringify({ kind: 'signal-lost', at, reason: 'again' });
      const events = Array.from({ length: 30_000 }, (_, n) =>
        publishPacket(topicOf(rogue.device, 'events'), word, { identifier: 1 + (n % 250) }),
      );
      await ground.undisturbed(flooded(await rawSession(rogue), events));
      const again = await RawClient.open(rogue, rogue.tls);
      await ended(again, 'it came again');
      if (!again.packets(2).includes('20020005')) throw new Error('it was let in again at once');
      return { about: rogue.device };
    },
  },
  {
    name: 'sends 20 MB of windows that are none',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const nothing = ' '.repeat(60_000);
      const windows = Array.from({ length: 340 }, (_, n) =>
        publishPacket(topicOf(rogue.device, 'windows'), nothing, { identifier: 1 + (n % 250) }),
      );
      await ground.undisturbed(flooded(await rawSession(rogue), windows));
      return { about: rogue.device };
    },
  },
  {
    name: 'subscribes to its own desired state 100 times',
    refused: 'too_many_requests',
    attempt: async (ground, rogue) => {
      const client = await rawSession(rogue);
      const packets = Array.from({ length: 100 }, (_, n) =>
        subscribePacket([topicOf(rogue.device, 'desired')], 1 + n),
      );
      await ground.undisturbed(flooded(client, packets));
      return { about: rogue.device };
    },
  },
];

/** Sends everything until it is cut off; throws where it never is. */
async function flooded(client: RawClient, packets: readonly Buffer[]): Promise<void> {
  for (const [index, bytes] of packets.entries()) {
    if (client.closed) break;
    client.socket.write(bytes);
    if (index % 50 === 49) await until('room', () => client.closed || !client.socket.writableNeedDrain, 60);
  }
  await ended(client, 'the flood', 60);
}
