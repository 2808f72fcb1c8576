import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, connect as tcpConnect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '@adbreak/hub/identity/authority.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { Hub } from './hub.js';
import { type Hold, Server } from './processes.js';

/** Whoever takes the other turn: the same clients, certificates and messages. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const START_SECONDS = 10;

/**
 * Mosquitto as Debian configures it (`persistence true`; autosave and all limits of messages as they come),
 * with the hub's TLS: 1.3 alone, a certificate of the same authority and kind, and clients that must show
 * theirs. It checks no topics, keeps nothing of a report that nobody subscribes to, and acknowledges before
 * anything is on a disk: what differs is in its favour.
 */
export async function startMosquitto(hub: Hub, hold: Hold): Promise<Peer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  await mkdir(join(folder, 'data'));
  const { key, certificate } = await (
    await Authority.open(join(hub.state, 'identity'), new Date(), { begin: false })
  ).issueServer([], new Date());
  const path = (name: string) => join(folder, name);
  await writeFile(path('ca.pem'), hub.address.authority);
  await writeFile(path('server.pem'), certificate);
  await writeFile(path('server.key'), key, { mode: 0o600 });
  const lines = [
    `listener ${port} 127.0.0.1`,
    `cafile ${path('ca.pem')}`,
    `certfile ${path('server.pem')}`,
    `keyfile ${path('server.key')}`,
    'tls_version tlsv1.3',
    'require_certificate true',
    'use_identity_as_username true',
    'allow_anonymous false',
    'set_tcp_nodelay true',
    'max_connections -1',
    'persistence true',
    `persistence_location ${path('data')}/`,
    'log_dest stderr',
    'log_type error',
    'log_type warning',
    // As root it would change to a user of its own, who may not read a temporary folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ];
  await writeFile(path('mosquitto.conf'), `${lines.join('\n')}\n`);
  const server = await Server.start('Mosquitto', ['/usr/sbin/mosquitto', '-c', path('mosquitto.conf')], hold);
  await Promise.race([answers(port), server.failure()]);
  return { name: 'Mosquitto', port, pid: server.pid };
}

/** Mosquitto takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function answers(port: number): Promise<void> {
  for (const deadline = Date.now() + START_SECONDS * 1000; Date.now() < deadline; await sleep(50)) {
    const socket = tcpConnect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
    socket.destroy();
    if (open) return;
  }
  throw new Error(`Mosquitto did not open port ${port} within ${START_SECONDS} s`);
}
