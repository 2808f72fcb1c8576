import { constants } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { commandTopic, parseCommandTopic } from '@adbreak/shared/contract/device-commands.js';
import { operatorOfClient, parseOperatorTopic } from '@adbreak/shared/contract/operators.js';
import { type DeviceTopic, parseTopic, topicOf } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { About, Log } from '@adbreak/shared/log.js';
import type { Aedes, Client, ConnectPacket, PublishPacket } from 'aedes';
import type { KeyAndCertificate } from '../identity/authority.js';
import { commandRefusal, connectRefusal, isCommandFilter, reading, writeRefusal } from './access.js';
import { Connection } from './connection.js';
import { limitHandshakes } from './connections.js';
import { Complaints, coded, handshakeFault, sessionFault } from './faults.js';
import { type Identity, identityOf } from './identity.js';
import { InboundAedes } from './inbound.js';
import { LIMITS } from './limits.js';
import { type PlaceLimits, Places } from './places.js';

/** What the broker asks of the rest of the hub. */
interface BrokerPolicy {
  /** Null when a device with this certificate may connect, else why not. */
  admit(device: string, fingerprint: string): AdbreakError | null;
  /** Charges a device for a packet of so many bytes; null where it may send it. */
  spend(device: string, bytes: number): AdbreakError | null;
  /** Null, or why a device that has sent too much has to stay away for a while. */
  barred(device: string): AdbreakError | null;
  /** Takes a device's message; the device hears its acknowledgement after this has resolved. */
  take(device: string, kind: DeviceTopic, payload: Uint8Array): Promise<void>;
  connection(device: string, online: boolean): void;
}
/** Who commands, and what is commanded. */
export interface CommandPolicy {
  /** Null when an operator with this certificate may connect, else why not. */
  admit(operator: string, fingerprint: string): AdbreakError | null;
  /** Takes an operator's command; the PUBACK follows when this has resolved. */
  take(
    by: Pick<Identity, 'fingerprint' | 'from'> & { readonly operator: string },
    id: string,
    payload: Uint8Array,
  ): Promise<void>;
  /** Takes a device's answer to a command, as `take` takes its messages. */
  answered(device: string, id: string, payload: Uint8Array): Promise<void>;
  /** A device hears its commands from now on, or no more. */
  listening(device: string, listens: boolean): void;
}
export interface BrokerOptions {
  readonly server: KeyAndCertificate;
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  readonly policy: BrokerPolicy;
  /** Without it no operator is let in, and nothing is commanded. */
  readonly commands?: CommandPolicy;
  readonly log: Log;
  /** The time by which certificates end; the machine's where it is not given. */
  readonly now?: () => Date;
  /**
   * How long a client may take for its handshake, and then for its CONNECT; and to read what it is sent. For
   * tests.
   */
  readonly connectMs?: number;
  readonly slowMs?: number;
  /** How many connections there may be. For tests. */
  readonly connections?: PlaceLimits;
}
interface Session {
  readonly connection: Connection;
  readonly instance: string;
}
interface Outgoing {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

/** CONNACK return codes, MQTT 3.1.1 section 3.2.2.3. */
const NOT_AUTHORIZED = 5;
const REFUSED = Buffer.of(0x20, 2, 0, NOT_AUTHORIZED);
/** A client that was refused reads the answer and leaves, or is cut off. */
const FAREWELL_MS = 2000;
/** How often it is looked for sessions whose certificate has ended. */
const LATE_MS = 1000;

/**
 * Aedes over mutual TLS. A device is who its certificate says; it writes its own topics, reads its own `desired` and
 * commands, and nothing else. A second agent with the same identity is refused while the first one is connected. An
 * operator writes its own commands, and reads its own replies and how rollouts stand. What is refused at the handshake
 * never reaches Aedes.
 */
export class Broker {
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #options: BrokerOptions;
  /** Every socket, in whatever state: one that never speaks must not keep the hub from stopping. */
  readonly #sockets = new Set<Socket>();
  /** By who holds them, devices and operators. */
  readonly #connections = new Map<string, Set<Connection>>();
  readonly #connects = new WeakMap<Client, ConnectPacket>();
  /** By client id: a device has one, an operator one for each of its programs. */
  readonly #sessions = new Map<string, Session>();
  readonly #complaints: Complaints;
  readonly #places: Places;
  readonly #late: NodeJS.Timeout;

  private constructor(aedes: Aedes, options: BrokerOptions) {
    this.#aedes = aedes;
    this.#options = options;
    this.#complaints = new Complaints(options.log);
    this.#late = setInterval(() => this.#endLate(), LATE_MS).unref();
    const { server, authority, connectMs = LIMITS.connectMs } = options;
    this.#server = createServer(
      {
        ...secureContext(server, authority),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: connectMs,
      },
      (socket) => this.#secured(socket),
    );
    limitHandshakes(this.#server, LIMITS.handshakes, (address) =>
      this.#tooMany(address, 'too many begin, of it or of all'),
    );
    const { connections = LIMITS.connections } = options;
    this.#places = new Places(this.#server, connections, (address, why) => this.#tooMany(address, why));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', (error, socket) => {
      const fault = handshakeFault(error, socket.authorizationError);
      const from = socket.remoteAddress ?? 'a connection';
      this.#complaints.say(from, `mqtt: refused ${from}: ${coded(fault)}`, { error: fault });
      // After a timeout Node leaves this to us.
      socket.destroy();
    });
    aedes.preConnect = (client, packet, done) => {
      this.#connects.set(client, packet);
      done(null, true);
    };
    aedes.authenticate = (client, username, _, done) => this.#authenticate(client, username, done);
    aedes.authorizePublish = (client, packet, done) => this.#publish(client, packet, done);
    aedes.authorizeSubscribe = (client, subscription, done) => {
      const refusal = connectionOf(client)?.subscribe() ?? null;
      if (refusal === null) reading.authorizeSubscribe(client, subscription, done);
      else done(refusal);
    };
    // An 'error' without a listener ends the process; Aedes' types leave this one out.
    const errors: EventEmitter = aedes;
    errors.on('error', (error: unknown) => options.log(`mqtt: ${explain(error)}`, { error }));
    aedes.on('clientReady', (client) => connectionOf(client)?.open());
    aedes.on('subscribe', (subscriptions, client) => {
      if (subscriptions.some(({ topic }) => isCommandFilter(client.id, topic)))
        options.commands?.listening(client.id, true);
    });
    for (const event of ['clientError', 'connectionError'] as const)
      aedes.on(event, (client, thrown) => {
        const identity = connectionOf(client)?.identity;
        const error = sessionFault(thrown);
        this.#complain(identity, `mqtt: ${identity?.who ?? 'a client'}: ${coded(error)}`, error);
      });
  }

  static async start(options: BrokerOptions): Promise<Broker> {
    const { connectMs = LIMITS.connectMs, slowMs = LIMITS.slowMs, log } = options;
    const aedes = new InboundAedes({
      heartbeatInterval: 15_000,
      concurrency: 100,
      connectTimeout: connectMs,
      drainTimeout: slowMs,
      maxTopicLevels: LIMITS.levels,
      authorizeForward: reading.authorizeForward,
    });
    await aedes.listen();
    const broker = new Broker(aedes, options);
    broker.#server.listen(options.port, options.host);
    await once(broker.#server, 'listening').catch(async (cause: unknown) => {
      await broker.close();
      throw listenError(cause, `MQTT on ${options.host}:${options.port}`);
    });
    broker.#server.on('error', (error) => log(`mqtt: ${explain(error)}`, { error }));
    return broker;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** New handshakes get this certificate; sessions that are open go on. */
  useCertificate(server: KeyAndCertificate): void {
    this.#server.setSecureContext(secureContext(server, this.#options.authority));
  }

  /** Publishes the hub's own retained word to a device. */
  publish(device: string, kind: 'desired', payload: string): Promise<void> {
    return this.say({ topic: topicOf(device, kind), payload, retain: true });
  }

  /** What the hub says to whoever may hear it. An empty retained message takes the one before away. */
  say({ topic, payload, retain }: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#aedes.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain, dup: false },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  }

  /** A command to a device, for a session that listens now: nothing is kept here for one that does not. */
  command(device: string, id: string, payload: string): Promise<void> {
    return this.say({ topic: commandTopic(device, 'commands', id), payload, retain: false });
  }

  /** Null when this instance may hold the session, else why it may not: devices ask after a refused CONNECT. */
  conflict(device: string, instance: string): AdbreakError | null {
    const barred = this.#options.policy.barred(device);
    if (barred !== null) return barred;
    const session = this.#sessions.get(device);
    if (session === undefined || session.instance === instance || session.connection.destroyed) return null;
    return new AdbreakError(
      'identity_in_use',
      `Cannot connect ${device}: another agent is connected with the same identity`,
    );
  }

  present(device: string): boolean {
    return this.#sessions.get(device)?.connection.destroyed === false;
  }

  /** Ends whatever a device or an operator (`operator:NAME`) has open, as revocation does. */
  disconnect(who: string): void {
    for (const connection of this.#connections.get(who) ?? []) connection.destroy();
  }

  /** TLS looks at a certificate once; a session must not outlive it. */
  #endLate(): void {
    const now = (this.#options.now?.() ?? new Date()).getTime();
    for (const connections of this.#connections.values())
      for (const connection of connections) {
        const { who, ends } = connection.identity;
        if (ends > now) continue;
        const why = `its certificate ended at ${new Date(ends).toISOString()}`;
        const error = new AdbreakError('identity_expired', `Cannot go on with the session of ${who}: ${why}`);
        this.#complain(connection.identity, `mqtt: ${who}: ${coded(error)}`, error);
        connection.destroy();
      }
  }

  async close(): Promise<void> {
    clearInterval(this.#late);
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const who of this.#connections.keys()) this.disconnect(who);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #secured(socket: TLSSocket): void {
    const identity = identityOf(socket);
    const refusal = identity instanceof AdbreakError ? identity : this.#refusalAtDoor(identity);
    if (identity instanceof AdbreakError || refusal !== null) {
      const known = identity instanceof AdbreakError ? undefined : identity;
      this.#complain(known, `mqtt: ${coded(refusal)}`, refusal);
      return turnAway(socket);
    }
    const { who } = identity;
    this.#places.hold(socket, identity.kind);
    const connection = new Connection(socket, identity, {
      charge: (bytes) => this.#options.policy.spend(who, bytes),
      slowMs: this.#options.slowMs ?? LIMITS.slowMs,
    });
    const open = this.#connections.get(who) ?? new Set();
    this.#connections.set(who, open.add(connection));
    connection.once('close', () => {
      open.delete(connection);
      if (open.size === 0) this.#connections.delete(who);
    });
    this.#aedes.handle(connection);
  }

  /** Why somebody is turned away before anything that they say is read; null where they are not. */
  #refusalAtDoor(identity: Identity): AdbreakError | null {
    const { who } = identity;
    const refusal = this.#admit(identity) ?? this.#options.policy.barred(who);
    if (refusal !== null) return refusal;
    if (identity.kind === 'device' && this.#places.fullOfDevices)
      return new AdbreakError(
        'too_many_requests',
        `Cannot connect ${who}: devices hold all the connections that are there for them`,
        { remedy: 'The agent comes again by itself; one hub has connections for ten thousand devices.' },
      );
    if ((this.#connections.get(who)?.size ?? 0) < LIMITS.connectionsOfDevice) return null;
    return new AdbreakError(
      'too_many_requests',
      `Cannot connect ${who}: it has ${LIMITS.connectionsOfDevice} connections open`,
      { remedy: 'One agent needs one connection; what others there are, end by themselves.' },
    );
  }

  #admit({ kind, name, fingerprint }: Identity): AdbreakError | null {
    const { policy, commands } = this.#options;
    if (kind === 'device') return policy.admit(name, fingerprint);
    if (commands !== undefined) return commands.admit(name, fingerprint);
    return new AdbreakError('forbidden', `Cannot connect operator ${name}: nothing is commanded here`);
  }

  #authenticate(client: Client, instance = '', done: Parameters<Aedes['authenticate']>[3]): void {
    // Aedes answers with the code, ends the connection and tells why by 'clientError'.
    const refuse = (error: AdbreakError) => done(Object.assign(error, { returnCode: NOT_AUTHORIZED }), null);
    const connection = connectionOf(client);
    const packet = this.#connects.get(client);
    if (connection === null || packet === undefined || connection.destroyed)
      return refuse(
        new AdbreakError('unauthorized', `Cannot connect ${client.id}: its connection has ended`),
      );
    const { kind } = connection.identity;
    const refusal =
      this.#refusal(client.id, connection.identity, packet) ??
      (kind === 'device' ? this.conflict(client.id, instance) : null);
    if (refusal !== null) return refuse(refusal);
    // Section 3.1.4: a client that connects anew ends its older connection.
    this.#sessions.get(client.id)?.connection.destroy();
    this.#sessions.set(client.id, { connection, instance });
    connection.once('close', () => this.#left(client.id, connection));
    if (kind === 'device') this.#options.policy.connection(client.id, true);
    done(null, true);
  }

  #refusal(id: string, identity: Identity, packet: ConnectPacket): AdbreakError | null {
    const { kind, name, who } = identity;
    if ((kind === 'device' ? id : operatorOfClient(id)) !== name)
      return new AdbreakError('forbidden', `Cannot connect ${id}: the certificate is for ${who}`);
    // Asked again: it may have been revoked since the handshake.
    return this.#admit(identity) ?? connectRefusal(identity, packet);
  }

  #publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const connection = client && connectionOf(client);
    if (client === null || connection === null) return done(null);
    // Packets that came with the last bytes of a session that was ended; a last will comes after its end.
    if (connection.destroyed && !isWill(client, packet))
      return done(
        new AdbreakError('unauthorized', `Cannot take a message of ${client.id}: its connection has ended`),
      );
    const { identity } = connection;
    const refusal =
      identity.kind === 'device' ? writeRefusal(client.id, packet) : commandRefusal(identity.name, packet);
    if (refusal !== null) return done(refusal);
    const taken = this.#take(identity, packet);
    // PUBACK follows `done`: what is acknowledged is on the hub's disk, and so is what the device sent before it
    // (MQTT-4.6.0-2: PUBACKs go out in the order of their PUBLISHs).
    connection.inTurn(taken).then(() => done(null), done);
  }

  /** What may be written was looked at: it goes to those whose it is. */
  async #take(identity: Identity, { topic, payload: said }: PublishPacket): Promise<void> {
    const { policy, commands } = this.#options;
    const { kind, name: operator, fingerprint, from } = identity;
    const payload = typeof said === 'string' ? Buffer.from(said) : said;
    if (kind === 'operator') {
      const command = parseOperatorTopic(topic);
      if (command?.kind === 'commands')
        await commands?.take({ operator, fingerprint, from }, command.id, payload);
      return;
    }
    const parsed = parseTopic(topic);
    const reply = parsed === null ? parseCommandTopic(topic) : null;
    if (parsed !== null) await policy.take(parsed.device, parsed.kind, payload);
    else if (reply !== null) await commands?.answered(reply.device, reply.id, payload);
  }

  #complain(identity: Identity | undefined, line: string, error: unknown): void {
    const about: About = { ...(identity?.kind === 'device' && { device: identity.name }), error };
    this.#complaints.say(identity?.who ?? '', line, about);
  }
  #tooMany(address: string, why: string): void {
    const error = new AdbreakError('too_many_requests', `Cannot accept a connection of ${address}: ${why}`);
    this.#complaints.say(address, `mqtt: ${coded(error)}`, { error });
  }

  #left(id: string, connection: Connection): void {
    if (this.#sessions.get(id)?.connection !== connection) return;
    this.#sessions.delete(id);
    if (connection.identity.kind !== 'device') return;
    this.#options.policy.connection(id, false);
    this.#options.commands?.listening(id, false);
  }
}

/**
 * No session is resumed: without tickets OpenSSL looks into the server's cache, which Node keeps empty as nobody listens
 * to 'newSession'. And TLS 1.3 alone: no client renegotiates.
 */
function secureContext({ key, certificate }: KeyAndCertificate, authority: string): SecureContextOptions {
  return {
    key,
    cert: certificate,
    ca: authority,
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Says no, as a CONNACK that waits for no CONNECT; what the client sends meanwhile is thrown away, and there is little of it. */
function turnAway(socket: TLSSocket): void {
  let thrown = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    thrown += chunk.length;
    if (thrown > LIMITS.control) socket.destroy();
  });
  const cut = setTimeout(() => socket.destroy(), FAREWELL_MS);
  socket.once('close', () => clearTimeout(cut));
  socket.end(REFUSED);
}

function connectionOf(client: Client): Connection | null {
  return client.conn instanceof Connection ? client.conn : null;
}

/** A port that is taken, told with the port and what to do. */
export function listenError(cause: unknown, what: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot listen for ${what}`, {
    cause,
    remedy: 'Stop what uses the port, or choose others with --http-port, --mqtt-port and --local-port.',
  });
}

/** Whether Aedes hands over what a client has left for its end; its types leave that out. */
function isWill(client: Client, packet: PublishPacket): boolean {
  return Reflect.get(client, 'will') === packet;
}
