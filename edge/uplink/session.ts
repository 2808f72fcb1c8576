import { setTimeout as sleep } from 'node:timers/promises';
import { type Desired, type DeviceEvent, desired, MESSAGE_LIMIT, type Reported, type Status } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { type DeviceTopic, roundTopic, topicOf } from '@adbreak/shared/contract/topics.js';
import { errorFromAnswer } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { connect, type MqttClient } from 'mqtt';
import { Agent, fetch } from 'undici';
import type { Identity } from '../identity/enrol.js';
import type { Spool } from './spool.js';

interface SessionOptions {
  readonly identity: Identity;
  readonly hub: string;
  /** Names this process: two agents with one identity differ in it. */
  readonly instance: string;
  readonly agentVersion: string;
  readonly spool: Spool;
  readonly onDesired: (desired: Desired) => void;
  readonly onRefused: (reason: AdbreakError | null) => void;
  readonly log: (line: string) => void;
}

const RECONNECT_MS = 2000;
const KEEPALIVE_SECONDS = 20;
const IDLE_MS = 250;

/** The MQTT session: status with a last will, the desired state, and the spool in order, each report until it is acknowledged. */
export class Session implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #client: MqttClient;
  readonly #stop = new AbortController();
  readonly #sending: Promise<void>;
  #reported: Reported | null = null;

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
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: 15_000,
      queueQoSZero: false,
      will: { topic: topicOf(identity.device, 'status'), payload: Buffer.from(JSON.stringify(this.#status(false))), qos: 1, retain: true },
    });
    this.#client.on('connect', () => void this.#connected().catch((error: unknown) => options.log(`mqtt: ${explain(error)}`)));
    this.#client.on('error', (error) => void this.#explainRefusal(error));
    this.#client.on('message', (topic, payload) => this.#message(topic, payload));
    this.#sending = this.#sendSpool();
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  /** The newest reported state is what counts: it is sent now, or after the next connection. */
  async report(reported: Reported): Promise<void> {
    this.#reported = reported;
    if (this.#client.connected) await this.#publish('reported', reported, true).catch((error: unknown) => this.#options.log(`mqtt: ${explain(error)}`));
  }

  /** Events tell what happens now: without a connection they are not kept. */
  async event(event: DeviceEvent): Promise<void> {
    if (this.#client.connected) await this.#publish('events', event, false).catch((error: unknown) => this.#options.log(`mqtt: ${explain(error)}`));
  }

  /** The answer to a federated round; resolves with the hub's acknowledgement, and waits for a connection. */
  async round(report: RoundReport): Promise<void> {
    await this.#client.publishAsync(roundTopic(this.#options.identity.device, report.round), JSON.stringify(report), { qos: 1, retain: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sending;
    if (this.#client.connected) await this.#publish('status', this.#status(false), true).catch(() => undefined);
    await this.#client.endAsync(true);
  }

  async #connected(): Promise<void> {
    this.#options.onRefused(null);
    await this.#client.subscribeAsync(topicOf(this.#options.identity.device, 'desired'), { qos: 1 });
    await this.#publish('status', this.#status(true), true);
    if (this.#reported !== null) await this.#publish('reported', this.#reported, true);
  }

  #message(topic: string, payload: Buffer): void {
    if (topic !== topicOf(this.#options.identity.device, 'desired')) return;
    try {
      this.#options.onDesired(parseJson(desired, payload, MESSAGE_LIMIT, topic));
    } catch (error) {
      this.#options.log(`mqtt: ${explain(error)}`);
    }
  }

  /** CONNACK says a number; the hub says the reason over HTTPS. */
  async #explainRefusal(error: Error): Promise<void> {
    const refused = 'code' in error && error.code === 5;
    if (!refused) return this.#options.log(`mqtt: ${explain(error)}; trying again`);
    const { identity, hub, instance } = this.#options;
    const dispatcher = new Agent({ connect: { ca: identity.authority, cert: identity.certificate, key: identity.key } });
    try {
      const answer = await fetch(new URL(`/agent/session?instance=${instance}`, hub), { dispatcher });
      const reason = answer.ok ? new AdbreakError('unauthorized', 'The hub refused the connection') : errorFromAnswer(await answer.json(), answer.status);
      this.#options.onRefused(reason);
    } catch (cause) {
      this.#options.log(`mqtt: refused, and the hub does not say why: ${explain(cause)}`);
    } finally {
      await dispatcher.close();
    }
  }

  async #sendSpool(): Promise<void> {
    const { spool, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      const report = spool.oldest;
      if (report === undefined || !this.#client.connected) {
        await sleep(IDLE_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        continue;
      }
      try {
        await this.#publish('windows', report, false);
        await spool.acknowledge(report.sequence);
      } catch (error) {
        log(`mqtt: window ${report.sequence} was not acknowledged: ${explain(error)}`);
        await sleep(RECONNECT_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  /** Resolves with the PUBACK. */
  async #publish(kind: Exclude<DeviceTopic, 'evaluations'>, message: unknown, retain: boolean): Promise<void> {
    await this.#client.publishAsync(topicOf(this.#options.identity.device, kind), JSON.stringify(message), { qos: 1, retain });
  }
  #status(online: boolean): Status {
    return { online, agent: this.#options.agentVersion, at: new Date().toISOString() };
  }
}
