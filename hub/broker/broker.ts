import { once } from 'node:events';
import { createServer, type Server, TLSSocket } from 'node:tls';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { DEVICE_TOPICS, type DeviceTopic, parseTopic, topicOf } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { Aedes, type Client } from 'aedes';
import { fingerprint, type KeyAndCertificate } from '../identity/authority.js';

/** What the broker asks of the rest of the hub. */
interface BrokerPolicy {
  /** Null when a device with this certificate may connect, else why not. */
  admit(device: string, fingerprint: string): AdbreakError | null;
  /** Takes a device's message; the device hears its acknowledgement after this has resolved. */
  take(device: string, kind: DeviceTopic, payload: Uint8Array): Promise<void>;
  connection(device: string, online: boolean): void;
}
export interface BrokerOptions {
  readonly server: KeyAndCertificate;
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  readonly policy: BrokerPolicy;
  readonly log: (line: string) => void;
}
interface Session {
  readonly client: Client;
  readonly instance: string;
}

/** CONNACK return codes, MQTT 3.1.1 section 3.2.2.3. */
const NOT_AUTHORIZED = 5;

/**
 * Aedes over mutual TLS. A device is who its certificate says; it writes its own topics, reads its own `desired`, and
 * nothing else. A second agent with the same identity is refused while the first one is connected.
 */
export class Broker {
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #options: BrokerOptions;
  readonly #sessions = new Map<string, Session>();

  private constructor(aedes: Aedes, options: BrokerOptions) {
    this.#aedes = aedes;
    this.#options = options;
    const { server, authority } = options;
    this.#server = createServer({ key: server.key, cert: server.certificate, ca: authority, requestCert: true, rejectUnauthorized: true }, (socket) =>
      aedes.handle(socket),
    );
    this.#server.on('tlsClientError', (error, socket) => options.log(`mqtt: refused ${socket.remoteAddress}: ${explain(error)}`));
    aedes.authenticate = (client, username, _, done) => this.#authenticate(client, username, done);
    aedes.authorizePublish = (client, packet, done) => this.#publish(client, packet.topic, packet.payload, packet.retain, done);
    aedes.authorizeSubscribe = (client, subscription, done) => {
      const topic = parseTopic(subscription.topic);
      const own = topic !== null && topic.device === client.id && DEVICE_TOPICS[topic.kind] === 'hub';
      // A refused subscription is answered with 0x80 and the session goes on (MQTT 3.1.1 section 3.9.3).
      done(null, own ? subscription : null);
    };
    aedes.on('clientDisconnect', (client) => this.#left(client));
    aedes.on('clientError', (client, error) => options.log(`mqtt: ${client.id}: ${explain(error)}`));
    aedes.on('connectionError', (client, error) => options.log(`mqtt: ${client.id || 'a client'} was refused: ${explain(error)}`));
  }

  static async start(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(await Aedes.createBroker({ heartbeatInterval: 15_000, concurrency: 100 }), options);
    broker.#server.listen(options.port, options.host);
    await once(broker.#server, 'listening').catch((cause: unknown) => {
      throw listenError(cause, `MQTT on ${options.host}:${options.port}`);
    });
    return broker;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** Publishes the hub's own retained word to a device. */
  publish(device: string, kind: 'desired', payload: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#aedes.publish({ cmd: 'publish', topic: topicOf(device, kind), payload: Buffer.from(payload), qos: 1, retain: true, dup: false }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  /** Null when this instance may hold the session, else why it may not: devices ask after a refused CONNECT. */
  conflict(device: string, instance: string): AdbreakError | null {
    const session = this.#sessions.get(device);
    if (session === undefined || session.instance === instance || session.client.closed) return null;
    return new AdbreakError('identity_in_use', `Cannot connect ${device}: another agent is connected with the same identity`);
  }

  /** The hub's next certificate: connections from now on see it, sessions go on with the one they began with. */
  useCertificate({ key, certificate }: KeyAndCertificate): void {
    this.#server.setSecureContext({ key, cert: certificate, ca: this.#options.authority });
  }

  /** Ends a device's session, as revocation does. */
  disconnect(device: string): void {
    this.#sessions.get(device)?.client.close();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #authenticate(client: Client, instance: string | undefined, done: Parameters<Aedes['authenticate']>[3]): void {
    const refuse = (reason: AdbreakError) => {
      this.#options.log(`mqtt: ${reason.code}: ${reason.message}`);
      done(Object.assign(new Error(reason.message), { returnCode: NOT_AUTHORIZED }), null);
    };
    const certificate = client.conn instanceof TLSSocket ? client.conn.getPeerCertificate() : null;
    if (certificate === null || certificate.raw === undefined) return refuse(new AdbreakError('unauthorized', 'Cannot connect: no client certificate'));
    const device = certificate.subject.CN;
    if (device !== client.id) return refuse(new AdbreakError('forbidden', `Cannot connect ${client.id}: the certificate is for ${String(device)}`));
    const refusal = this.#options.policy.admit(device, fingerprint(certificate.raw)) ?? this.conflict(device, instance ?? '');
    if (refusal !== null) return refuse(refusal);
    this.#sessions.set(device, { client, instance: instance ?? '' });
    this.#options.policy.connection(device, true);
    done(null, true);
  }

  #publish(client: Client | null, topic: string, payload: string | Buffer, retain: boolean, done: (error?: Error | null) => void): void {
    if (client === null) return done(null);
    const parsed = parseTopic(topic);
    if (parsed === null || parsed.device !== client.id || DEVICE_TOPICS[parsed.kind] !== 'device')
      return done(new AdbreakError('forbidden', `Cannot publish: ${client.id} may not write ${topic}`));
    if (payload.length > MESSAGE_LIMIT)
      return done(new AdbreakError('input_too_large', `Cannot publish to ${topic}: ${payload.length} bytes, at most ${MESSAGE_LIMIT}`));
    if (retain && parsed.kind !== 'status' && parsed.kind !== 'reported')
      return done(new AdbreakError('forbidden', `Cannot publish: ${topic} is not retained`));
    // PUBACK follows this callback: what is acknowledged is on the hub's disk.
    this.#options.policy.take(parsed.device, parsed.kind, typeof payload === 'string' ? Buffer.from(payload) : payload).then(() => done(null), done);
  }

  #left(client: Client): void {
    if (this.#sessions.get(client.id)?.client !== client) return;
    this.#sessions.delete(client.id);
    this.#options.policy.connection(client.id, false);
  }
}

/** A port that is taken, told with the port and what to do. */
export function listenError(cause: unknown, what: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot listen for ${what}: ${explain(cause)}`, {
    cause,
    remedy: 'Stop what uses the port, or choose others with --http-port and --mqtt-port.',
  });
}
