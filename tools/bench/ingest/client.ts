import type { TcpSocketConnectOpts } from 'node:net';
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import { connectPacket, header, subscribePacket } from '@adbreak/hub/broker/testing.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import type { Reports } from './reports.js';

/** MQTT 3.1.1 section 2.2.1. */
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;
/**
 * The longest that the hub allows: an idle session of the other side must live while this one is measured.
 */
const KEEPALIVE_SECONDS = 300;
const OPEN_MS = 60_000;

export interface Credentials {
  readonly device: string;
  readonly key: string;
  readonly certificate: string;
  /** Of the loopback: the hub takes 500 connections of one address. */
  readonly from: string;
}

export function contextOf({ key, certificate }: Credentials, authority: string): SecureContext {
  return createSecureContext({ key, cert: certificate, ca: authority, minVersion: 'TLSv1.3' });
}

/**
 * A device on a socket, with one report under way. No library: the same few lines for both brokers, and so
 * little work that the brokers are what is measured. It connects as the agent does: with a last will, and
 * subscribed to its `desired`.
 */
export class IngestClient {
  readonly device: string;
  /** Reports acknowledged; the next one has the number after it. */
  acknowledged = 0;
  readonly #reports: Reports;
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #opened: (() => void) | null = null;
  #sent = 0;
  /** Milliseconds of each acknowledgement, while somebody counts. */
  #answered: ((ms: number) => boolean) | null = null;

  private constructor(device: string, reports: Reports, socket: TLSSocket) {
    this.device = device;
    this.#reports = reports;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** `lost` hears of a session that ends, in whatever way. */
  static open(
    { device, from }: Credentials,
    secureContext: SecureContext,
    reports: Reports,
    port: number,
    lost: (error: Error) => void,
  ): Promise<IngestClient> {
    // What it does not know itself it hands on to the socket.
    const options: ConnectionOptions & TcpSocketConnectOpts = {
      host: '127.0.0.1',
      port,
      localAddress: from,
      secureContext,
      servername: 'localhost',
    };
    const socket = tlsConnect(options);
    const client = new IngestClient(device, reports, socket);
    const broken = (why: string, cause?: Error) =>
      lost(
        new Error(
          `the session of ${device} with port ${port} ended after ${client.acknowledged} acknowledgements: ${why}`,
          { cause },
        ),
      );
    socket.on('error', (error) => broken(error.message, error));
    socket.on('close', () => broken('it was closed by the other side'));
    const will = { topic: topicOf(device, 'status'), payload: '{"online":false}', qos: 1, retain: true };
    socket.once('secureConnect', () =>
      socket.write(connectPacket({ id: device, keepalive: KEEPALIVE_SECONDS, will })),
    );
    const late = setTimeout(() => broken(`it was not accepted within ${OPEN_MS / 1000} s`), OPEN_MS);
    return new Promise((resolve) => {
      client.#opened = () => {
        clearTimeout(late);
        resolve(client);
      };
    });
  }

  /**
   * Sends one report after the other, each when the one before it was acknowledged, until `answered` says
   * false.
   */
  run(answered: (ms: number) => boolean): void {
    this.#answered = answered;
    this.#publish();
  }

  /** Says good-bye, so that no last will goes out. */
  close(): void {
    this.#socket.removeAllListeners('close').removeAllListeners('error');
    this.#socket.on('error', () => undefined);
    this.#socket.end(Buffer.of(0xe0, 0));
    this.#socket.destroySoon();
  }

  #publish(): void {
    const sequence = this.acknowledged + 1;
    const { topic } = this.#reports;
    const text = this.#reports.text(sequence);
    const length = 2 + topic.length + 2 + text.length;
    const fixed = header(0x32, length);
    const packet = Buffer.allocUnsafe(fixed.length + length);
    let at = fixed.copy(packet);
    at = packet.writeUInt16BE(topic.length, at);
    at += packet.write(topic, at, 'latin1');
    // A packet identifier is never 0; two devices may have the same.
    at = packet.writeUInt16BE((sequence % 65_535) + 1, at);
    packet.write(text, at, 'latin1');
    this.#sent = performance.now();
    this.#socket.write(packet);
  }

  #read(chunk: Buffer): void {
    // Nearly everything that comes: one PUBACK by itself.
    if (chunk.length === 4 && chunk[0] === 0x40 && this.#rest.length === 0) return this.#acknowledge();
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = endOf(this.#rest); end !== null; end = endOf(this.#rest)) {
      const packet = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      this.#take(packet);
    }
  }

  #take(packet: Buffer): void {
    switch ((packet[0] ?? 0) >> 4) {
      case CONNACK:
        if (packet[3] !== 0) this.#socket.destroy(new Error(`CONNACK with code ${packet[3]}`));
        else this.#socket.write(subscribePacket([topicOf(this.device, 'desired')]));
        return;
      case SUBACK:
        return this.#opened?.();
      case PUBLISH:
        return this.#confirm(packet);
      case PUBACK:
        return this.#acknowledge();
    }
  }

  /** The retained desired state, at QoS 1. */
  #confirm(packet: Buffer): void {
    const topic = packet.readUInt16BE(bodyOf(packet));
    const identifier = bodyOf(packet) + 2 + topic;
    this.#socket.write(Buffer.of(0x40, 2, packet[identifier] ?? 0, packet[identifier + 1] ?? 0));
  }

  #acknowledge(): void {
    this.acknowledged += 1;
    if (this.#answered?.(performance.now() - this.#sent) === true) this.#publish();
  }
}

/** Where the first packet's body begins: section 2.2.3, at most four bytes of length. */
function bodyOf(bytes: Buffer): number {
  let at = 1;
  while (((bytes[at] ?? 0) & 0x80) !== 0) at += 1;
  return at + 1;
}
/** Where the first packet ends, or null while it is not there whole. */
function endOf(bytes: Buffer): number | null {
  const body = bodyOf(bytes);
  if (bytes.length < body) return null;
  let length = 0;
  for (let at = 1; at < body; at += 1) length += ((bytes[at] ?? 0) & 0x7f) << (7 * (at - 1));
  return bytes.length < body + length ? null : body + length;
}
