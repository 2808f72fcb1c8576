import { webcrypto } from 'node:crypto';
import type { TcpSocketConnectOpts } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Authority, type KeyAndCertificate, type Lifetimes } from '../identity/authority.js';
import * as x509 from '../identity/x509.js';
import { Broker, type BrokerOptions, type CommandPolicy } from './broker.js';

/** A test, or whoever else ends what was begun. */
interface Closing {
  after(close: () => void): void;
}

/** The real broker with a real authority; what it took and said is kept. */
export interface TestBroker {
  readonly broker: Broker;
  readonly authority: Authority;
  readonly log: string[];
  readonly taken: { device: string; kind: string; payload: string }[];
  readonly online: Map<string, boolean>;
  /** What `admit` answers for a device; nothing, and it may come in. */
  readonly refused: Map<string, AdbreakError>;
  credentials(device: string): Promise<Credentials>;
  operatorCredentials(name: string): Promise<Credentials>;
}
/** What `tls.connect` and mqtt.js need to come in as a device. */
interface Credentials {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

type Take = BrokerOptions['policy']['take'];
export async function testBroker(
  t: Closing,
  options: {
    connectMs?: number;
    lifetimes?: Lifetimes;
    slowMs?: number;
    connections?: BrokerOptions['connections'];
    take?: Take;
    spend?: BrokerOptions['policy']['spend'];
    barred?: BrokerOptions['policy']['barred'];
    commands?: CommandPolicy;
  } = {},
): Promise<TestBroker> {
  const authority = await Authority.open(await temporaryFolder(), new Date(), {
    ...(options.lifetimes && { lifetimes: options.lifetimes }),
  });
  const log: string[] = [];
  const taken: TestBroker['taken'] = [];
  const online = new Map<string, boolean>();
  const refused = new Map<string, AdbreakError>();
  const broker = await Broker.start({
    server: await authority.issueServer([], new Date()),
    authority: authority.certificate,
    host: '127.0.0.1',
    port: 0,
    log: (line) => log.push(line),
    ...(options.connectMs !== undefined && { connectMs: options.connectMs }),
    ...(options.slowMs !== undefined && { slowMs: options.slowMs }),
    ...(options.connections !== undefined && { connections: options.connections }),
    ...(options.commands !== undefined && { commands: options.commands }),
    policy: {
      admit: (device) => refused.get(device) ?? null,
      spend: options.spend ?? (() => null),
      barred: options.barred ?? (() => null),
      take: async (device, kind, payload) => {
        taken.push({ device, kind, payload: Buffer.from(payload).toString() });
        await options.take?.(device, kind, payload);
      },
      connection: (device, up) => online.set(device, up),
    },
  });
  t.after(() => broker.close());
  const credentials = async (device: string) => {
    return credentialsOf(await deviceKey(authority, device));
  };
  const operatorCredentials = async (name: string) => credentialsOf(await operatorKey(authority, name));
  const credentialsOf = ({ key, certificate }: KeyAndCertificate): Credentials => ({
    host: '127.0.0.1',
    port: broker.port,
    ca: authority.certificate,
    key,
    cert: certificate,
  });
  return { broker, authority, log, taken, online, refused, credentials, operatorCredentials };
}

export async function deviceKey(authority: Authority, device: string): Promise<KeyAndCertificate> {
  const { key, csr } = await keyAndRequest(device);
  return { key, certificate: await authority.issueDevice(device, csr, new Date()) };
}

export async function operatorKey(authority: Authority, name: string): Promise<KeyAndCertificate> {
  const { key, csr } = await keyAndRequest(name);
  return { key, certificate: await authority.issueOperator(name, csr, new Date(), 3_600_000) };
}

async function keyAndRequest(name: string): Promise<{ key: string; csr: string }> {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    keys,
    signingAlgorithm,
  });
  const key = x509.PemConverter.encode(
    await webcrypto.subtle.exportKey('pkcs8', keys.privateKey),
    'PRIVATE KEY',
  );
  return { key, csr: csr.toString('pem') };
}

/** A client that writes the bytes it is told to. */
export class RawClient {
  readonly socket: TLSSocket;
  received: Buffer = Buffer.alloc(0);
  closed = false;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed = true;
    });
  }
  /** What TLS does not know itself, as the address to come from, it hands on to the socket. */
  static async open(
    t: Closing,
    options: ConnectionOptions & Pick<TcpSocketConnectOpts, 'localAddress'>,
  ): Promise<RawClient> {
    const client = new RawClient(tlsConnect(options));
    t.after(() => client.socket.destroy());
    await new Promise((resolve) => client.socket.once('secureConnect', resolve).once('close', resolve));
    return client;
  }
  /** A session that was accepted. */
  static async connected(t: Closing, options: ConnectionOptions, connect: Connect): Promise<RawClient> {
    const client = await RawClient.open(t, options);
    client.send(connectPacket(connect));
    await until('CONNACK 0', () => client.packets(2).includes('20020000'));
    return client;
  }
  send(...packets: Buffer[]): void {
    this.socket.write(Buffer.concat(packets));
  }
  /** The packets of one type that came, in hexadecimal. */
  packets(type: number): string[] {
    const found: string[] = [];
    for (let at = 0; at + 1 < this.received.length; ) {
      let length = 0;
      let header = 1;
      for (; ; header += 1) {
        const byte = this.received[at + header] ?? 0;
        length += (byte & 0x7f) << (7 * (header - 1));
        if (byte < 0x80) break;
      }
      const end = at + header + 1 + length;
      if ((this.received[at] ?? 0) >> 4 === type) found.push(this.received.subarray(at, end).toString('hex'));
      at = end;
    }
    return found;
  }
}

export interface Connect {
  readonly id: string;
  readonly instance?: string;
  readonly clean?: boolean;
  readonly keepalive?: number;
  readonly will?: { topic: string; payload: string; qos?: number; retain?: boolean };
}
/** MQTT 3.1.1 section 3.1. */
export function connectPacket({ id, instance = 'i', clean = true, keepalive = 20, will }: Connect): Buffer {
  const willFlags = will === undefined ? 0 : 4 | ((will.qos ?? 1) << 3) | (will.retain ? 32 : 0);
  return packet(0x10, [
    text('MQTT'),
    Buffer.of(4, 128 | (clean ? 2 : 0) | willFlags, keepalive >> 8, keepalive & 255),
    text(id),
    ...(will === undefined ? [] : [text(will.topic), text(will.payload)]),
    text(instance),
  ]);
}
export function subscribePacket(filters: readonly string[], identifier = 1): Buffer {
  return packet(0x82, [
    Buffer.of(0, identifier),
    ...filters.flatMap((filter) => [text(filter), Buffer.of(1)]),
  ]);
}
export function publishPacket(
  topic: string,
  payload: string,
  { identifier = 1, qos = 1, retain = false } = {},
): Buffer {
  return packet(0x30 | (qos << 1) | (retain ? 1 : 0), [
    text(topic),
    Buffer.of(...(qos > 0 ? [0, identifier] : [])),
    Buffer.from(payload),
  ]);
}
export function packet(first: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([header(first, body.length), body]);
}
/** A fixed header that announces `length` bytes. */
export function header(first: number, length: number): Buffer {
  const bytes = [first];
  for (let rest = length; ; ) {
    const more = rest >= 128;
    bytes.push((rest & 0x7f) | (more ? 0x80 : 0));
    rest >>= 7;
    if (!more) return Buffer.from(bytes);
  }
}
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}
