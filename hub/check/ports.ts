import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { validityOf } from '@adbreak/shared/certificates.js';
import { explain, printable, systemCode } from '@adbreak/shared/errors.js';
import { type Finding, ok, warning, wrong } from './finding.js';

export interface PortsOptions {
  readonly host: string;
  readonly ports: readonly { readonly name: 'HTTPS' | 'MQTT'; readonly port: number }[];
  /** The hub that runs on the state folder, if one does. */
  readonly hub: { readonly pid: number | null } | null;
  /** PEM of the fleet's authority; null where it cannot be read. */
  readonly authority: string | null;
}

/** Whether a hub that is started could have its ports, or the one that runs has them. */
export async function checkPorts(options: PortsOptions): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { name, port } of options.ports)
    found.push(
      options.hub === null
        ? await checkFree(name, port, options.host)
        : await checkServed(name, port, options.hub, options),
    );
  return found;
}

async function checkFree(name: string, port: number, host: string): Promise<Finding> {
  const what = `port ${port}`;
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
    return ok(what, `${name} port ${port} of ${host} is free`);
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE')
      return wrong(
        what,
        `${name} port ${port} of ${host} is taken by ${await nameListeners(port)}`,
        'Stop that program, or start the hub with another --http-port or --mqtt-port, and tell the devices.',
      );
    if (systemCode(error) === 'EADDRNOTAVAIL')
      return wrong(
        what,
        `this machine has no address ${host}`,
        'Give --host an address that it has, or 0.0.0.0.',
      );
    return wrong(
      what,
      `${name} port ${port} of ${host} cannot be had: ${explain(error)}`,
      'Choose a port above 1023, or let this user have it.',
    );
  } finally {
    server.close();
  }
}

async function checkServed(
  name: string,
  port: number,
  { pid }: NonNullable<PortsOptions['hub']>,
  { host, authority }: PortsOptions,
): Promise<Finding> {
  const what = `port ${port}`;
  const listeners = await listenersOn(port);
  if (listeners !== null && listeners.length === 0)
    return warning(
      what,
      `nobody listens on ${name} port ${port}, and a hub runs${pid === null ? '' : ` (process ${pid})`}`,
      'Give this command the --http-port and --mqtt-port that the hub was started with.',
    );
  const strangers = (await ownersOf(listeners ?? [])).filter((owner) => owner.pid !== pid);
  if (pid !== null && strangers.length > 0)
    return wrong(
      what,
      `${name} port ${port} belongs to ${strangers.map(nameOwner).join(', ')}, and not to the hub (process ${pid})`,
      'Stop that program, and start the hub again.',
    );
  if (name !== 'HTTPS' || authority === null) return ok(what, `the hub has ${name} port ${port}`);
  return checkCertificate(what, host === '0.0.0.0' ? '127.0.0.1' : host, port, authority);
}

/** What devices see of the hub: a certificate of the fleet's authority that has not ended. */
async function checkCertificate(
  what: string,
  host: string,
  port: number,
  authority: string,
): Promise<Finding> {
  const socket = connect({ host, port, ca: authority, checkServerIdentity: () => undefined, timeout: 5000 });
  try {
    await Promise.race([
      once(socket, 'secureConnect'),
      once(socket, 'timeout').then(() => Promise.reject(new Error('no answer in five seconds'))),
    ]);
    const pem = socket.getPeerX509Certificate()?.toString() ?? '';
    return ok(what, `the hub answers there; its certificate ends on ${dayOf(validityOf(pem).to)}`);
  } catch (error) {
    return wrong(
      what,
      `what answers on HTTPS port ${port} has no certificate of this fleet: ${explain(error)}`,
      'Look who listens there; devices trust the hub of this state folder alone.',
    );
  } finally {
    socket.destroy();
  }
}

export function dayOf(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10);
}

/** LISTEN in the table of proc(5), /proc/net/tcp. */
const LISTEN = '0A';

/** Inodes of the sockets that listen on a port; null where there is no /proc. */
async function listenersOn(port: number): Promise<string[] | null> {
  const inodes: string[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/net/${table}`, 'utf8').catch(unlessMissing);
    if (text === null && table === 'tcp') return null;
    for (const line of (text ?? '').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTEN && Number.parseInt(local.split(':')[1] ?? '', 16) === port) inodes.push(inode);
    }
  }
  return inodes;
}

interface Owner {
  readonly pid: number;
  readonly command: string;
}
/** Who has a socket open; null where it is another user's process. */
async function ownerOf(inode: string): Promise<Owner | null> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const open = (await readdir(`/proc/${pid}/fd`).catch(unlessMissing)) ?? [];
    for (const fd of open)
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(unlessMissing)) === `socket:[${inode}]`) {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(unlessMissing)) ?? '';
        return { pid: Number(pid), command: command.split('\0').join(' ').trim() };
      }
  }
  return null;
}

async function ownersOf(inodes: readonly string[]): Promise<Owner[]> {
  const owners = await Promise.all(inodes.map(ownerOf));
  return owners.flatMap((owner) => owner ?? []);
}

async function nameListeners(port: number): Promise<string> {
  const known = await ownersOf((await listenersOn(port)) ?? []);
  return known.length === 0 ? "another user's program" : known.map(nameOwner).join(', ');
}
function nameOwner({ pid, command }: Owner): string {
  return `process ${pid} (${printable(command).slice(0, 80)})`;
}

/** Processes end while one looks, and those of others are not shown. */
function unlessMissing(error: unknown): null {
  if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
  throw error;
}
