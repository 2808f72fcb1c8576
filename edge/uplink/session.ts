import { type Backoff, pauseAfter } from '@adbreak/shared/backoff.js';
import {
  commandFilter,
  commandTopic,
  type DeviceReply,
  parseCommandTopic,
} from '@adbreak/shared/contract/device-commands.js';
import type { DeviceEvent, Reported, Status, WindowReport } from '@adbreak/shared/contract/messages.js';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { type DeviceTopic, roundTopic, topicOf } from '@adbreak/shared/contract/topics.js';
import { type AdbreakError, explain } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { HubRefusal } from '@adbreak/shared/hub-fault.js';
import { pause, retry } from '@adbreak/shared/retry.js';
import { connect, type MqttClient } from 'mqtt';
import type { Identity } from '../identity/identity.js';
import type { Spool } from './spool.js';

interface SessionOptions {
  /** Read again at each connection: a renewal exchanges key and certificate. */
  readonly identity: Identity;
  readonly hub: string;
  /** Names this process: two agents with one identity differ in it. */
  readonly instance: string;
  readonly agentVersion: string;
  readonly spool: Spool;
  /** What the hub wants of this device, as it came. */
  readonly onDesired: (message: Uint8Array) => void;
  /** What the hub asks for once, as it came, by its name. */
  readonly onCommand: (id: string, message: Uint8Array) => void;
  readonly onRefused: (reason: AdbreakError | null) => void;
  readonly log: (line: string) => void;
  /** [0, 1) */
  readonly uniform: () => number;
}

/** A lost connection: with a hub that restarts the whole fleet loses it in one moment, and must not come back in one. */
const RECONNECT: Backoff = { firstMs: 2000, longestMs: 16_000, jitter: 1 };
/** Pauses are half of the longest in the mean: about a minute. */
const ASK_AGAIN_AFTER = 8;
const KEEPALIVE_SECONDS = 20;
const IDLE_MS = 250;
/** A report that the hub did not acknowledge: its disk may be full, and it has many devices. */
const UNACKNOWLEDGED: Backoff = { firstMs: 2000, longestMs: 60_000, jitter: 0.5 };
/** An orderly end waits so long for the hub. */
const GOODBYE_MS = 1000;
/** CONNACK return code, MQTT 3.1.1 section 3.2.2.3. */
const NOT_AUTHORIZED = 5;

/** The MQTT session: status with a last will, the desired state, commands, and the spool in order, each report until it is acknowledged. */
export class Session implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #client: MqttClient;
  readonly #stop = new AbortController();
  readonly #sending: Promise<void>;
  #reported: Reported | null = null;
  /** How this connection went, and how many before it were not accepted. */
  #accepted = false;
  #refused = false;
  #failures = 0;
  /** As long as the hub wants to be left alone, until a pause has it in it. */
  #leaveAloneMs = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { identity, instance } = options;
    this.#client = connect(identity.mqtt, {
      clientId: identity.device,
      username: instance,
      key: identity.key,
      cert: identity.certificate,
      ca: identity.authority,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: this.#pause(),
      // A refusal may end: the other agent stops, the certificate is renewed.
      reconnectOnConnackError: true,
      connectTimeout: 15_000,
      queueQoSZero: false,
      will: {
        topic: topicOf(identity.device, 'status'),
        payload: Buffer.from(JSON.stringify(this.#status(false))),
        qos: 1,
        retain: true,
      },
    });
    this.#client.on('close', () => void this.#closed());
    this.#client.on(
      'connect',
      () => void this.#connected().catch((error: unknown) => options.log(`mqtt: ${explain(error)}`)),
    );
    this.#client.on('error', (error) => this.#failed(error));
    this.#client.on('message', (topic, payload) => this.#message(topic, payload));
    this.#sending = this.#sendSpool();
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  /** Connects again under the identity's new certificate. What is on its way is sent again; the spool goes on. */
  renew(): void {
    const { key, certificate, authority } = this.#options.identity;
    Object.assign(this.#client.options, { key, cert: certificate, ca: authority });
    this.#client.stream.destroy();
  }

  /** The newest reported state is what counts: it is sent now, or after the next connection. */
  async report(reported: Reported): Promise<void> {
    this.#reported = reported;
    if (this.#client.connected)
      await this.#publish('reported', reported, true).catch((error: unknown) =>
        this.#options.log(`mqtt: ${explain(error)}`),
      );
  }

  /** Events tell what happens now: without a connection they are not kept. */
  async event(event: DeviceEvent): Promise<void> {
    if (this.#client.connected)
      await this.#publish('events', event, false).catch((error: unknown) =>
        this.#options.log(`mqtt: ${explain(error)}`),
      );
  }

  /** The answer to a federated round; resolves with the hub's acknowledgement, and waits for a connection. */
  async round(report: RoundReport): Promise<void> {
    await this.#client.publishAsync(
      roundTopic(this.#options.identity.device, report.round),
      JSON.stringify(report),
      { qos: 1, retain: false },
    );
  }

  /** The answer to a command; resolves with the hub's acknowledgement, and waits for a connection. */
  async reply(id: string, reply: DeviceReply): Promise<void> {
    const topic = commandTopic(this.#options.identity.device, 'replies', id);
    await this.#client.publishAsync(topic, JSON.stringify(reply), { qos: 1, retain: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sending;
    if (!this.#client.connected) return this.#client.endAsync(true);
    await this.#publish('status', this.#status(false), true).catch(() => undefined);
    await this.#disconnect();
  }

  /** Without a DISCONNECT the hub would publish the last will, and call the device lost (MQTT 3.1.1 section 3.14). */
  async #disconnect(): Promise<void> {
    const gone = new AbortController();
    await Promise.race([this.#client.endAsync(), pause(GOODBYE_MS, gone.signal)]);
    gone.abort();
    this.#client.stream.destroy();
  }

  async #connected(): Promise<void> {
    this.#accepted = true;
    this.#failures = 0;
    this.#leaveAloneMs = 0;
    this.#client.options.reconnectPeriod = this.#pause();
    this.#options.onRefused(null);
    const { device } = this.#options.identity;
    await this.#client.subscribeAsync([topicOf(device, 'desired'), commandFilter(device)], { qos: 1 });
    await this.#publish('status', this.#status(true), true);
    if (this.#reported !== null) await this.#publish('reported', this.#reported, true);
  }

  #message(topic: string, payload: Buffer): void {
    const { identity, onDesired, onCommand } = this.#options;
    if (topic === topicOf(identity.device, 'desired')) return onDesired(payload);
    const command = parseCommandTopic(topic);
    if (command?.kind === 'commands' && command.device === identity.device) onCommand(command.id, payload);
  }

  #failed(error: Error): void {
    this.#refused = 'code' in error && error.code === NOT_AUTHORIZED;
    if (!this.#refused) this.#options.log(`mqtt: ${explain(error)}; trying again`);
  }

  /**
   * CONNACK says a number, and a certificate that has ended gets none: TLS closes the connection. The hub says the
   * reason over HTTPS: asked after the 1st, 2nd, 4th … failure, then about every minute.
   */
  async #closed(): Promise<void> {
    const refused = this.#refused;
    const accepted = this.#accepted;
    this.#refused = false;
    this.#accepted = false;
    if (accepted || this.#stop.signal.aborted) return;
    this.#failures += 1;
    this.#client.options.reconnectPeriod = this.#pause();
    if (!Number.isInteger(Math.log2(this.#failures)) && this.#failures % ASK_AGAIN_AFTER !== 0) return;
    const { identity, hub, instance, log, onRefused } = this.#options;
    await using client = new HubClient(hub, identity);
    try {
      await client.ask(`/agent/session?instance=${instance}`, {
        what: 'ask why the session is refused',
        signal: this.#stop.signal,
      });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (error instanceof HubRefusal) this.#leaveAloneMs = error.retryAfterMs;
      if (error instanceof HubRefusal && error.code !== 'hub_unreachable') onRefused(error);
      // A hub that is down answers neither, and `#failed` has said so.
      else if (refused) log(`mqtt: refused, and the hub does not say why: ${explain(error)}`);
    }
  }

  /**
   * Milliseconds before the next connection: what chance says, and after that where the hub named a time, so
   * that all who were sent away do not come back in one moment. mqtt takes it up with the close that comes
   * next, and zero as never.
   */
  #pause(): number {
    const pause = pauseAfter(RECONNECT, this.#failures + 1, this.#options.uniform());
    const away = this.#leaveAloneMs;
    this.#leaveAloneMs = 0;
    return Math.max(1, Math.round(away + pause));
  }

  async #sendSpool(): Promise<void> {
    const { log, uniform } = this.#options;
    const { signal } = this.#stop;
    const onFailure = (error: unknown) => log(`mqtt: ${explain(error)}`);
    while (!signal.aborted) {
      if (this.#nextReport() === undefined) await pause(IDLE_MS, signal);
      // Only a stop ends it otherwise.
      else
        await retry(() => this.#sendOldest(), { backoff: UNACKNOWLEDGED, signal, uniform, onFailure }).catch(
          () => undefined,
        );
    }
  }

  #nextReport(): WindowReport | undefined {
    return this.#client.connected ? this.#options.spool.oldest : undefined;
  }

  /** A connection that is lost meanwhile is waited for elsewhere. */
  async #sendOldest(): Promise<void> {
    const report = this.#nextReport();
    if (report === undefined) return;
    try {
      await this.#publish('windows', report, false);
      await this.#options.spool.acknowledge(report.sequence);
    } catch (cause) {
      throw new Error(`window ${report.sequence} was not acknowledged`, { cause });
    }
  }

  /** Resolves with the PUBACK. */
  async #publish(
    kind: Exclude<DeviceTopic, 'evaluations'>,
    message: unknown,
    retain: boolean,
  ): Promise<void> {
    await this.#client.publishAsync(topicOf(this.#options.identity.device, kind), JSON.stringify(message), {
      qos: 1,
      retain,
    });
  }
  #status(online: boolean): Status {
    return { online, agent: this.#options.agentVersion, at: new Date().toISOString() };
  }
}
