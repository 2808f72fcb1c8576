import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { report } from '@adbreak/hub/rollouts/fixtures.js';
import { connectDevice, type HubProcess, type Identity } from '@adbreak/hub/testing/killed.js';
import {
  type Desired,
  desired,
  MESSAGE_LIMIT,
  type WindowReport,
} from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import type { Random } from '@adbreak/shared/random.js';
import type { MqttClient } from 'mqtt';

/** Windows that are on their way at once, and the time between two lots of them: some thirty a second. */
const AT_ONCE = 3;
const PAUSE_MS = 90;
/** A device's windows do not overlap: some fifty of these in a second of the plan. */
const WINDOW_MS = 20;
/** Sent twice in a row, as QoS 1 may. */
const TWICE = 0.1;

/** How a candidate fares where it runs, by its version. */
export type Outcome = 'good' | 'bad' | 'even';
const COUNTS = {
  good: { wins: 3, losses: 0 },
  bad: { wins: 0, losses: 4 },
  even: { wins: 1, losses: 1 },
} as const;

export interface Sent {
  readonly report: WindowReport;
  acknowledged: boolean;
}
interface DeviceOptions {
  readonly identity: Identity;
  readonly channel: string;
  readonly random: Random;
  readonly outcomeOf: (version: string) => Outcome;
}

/**
 * A device as the hub sees one: it does what `desired` says, numbers its windows, sends the oldest ones that are not
 * acknowledged, again after every reconnect, and forgets none before its PUBACK.
 */
export class CrashDevice {
  readonly id: string;
  readonly sent: Sent[] = [];
  /** The desired state that it heard last; null before the first one of this hub. */
  desired: Desired | null = null;
  readonly #options: DeviceOptions;
  #client: MqttClient | null = null;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.id = options.identity.device;
  }

  get unacknowledged(): readonly Sent[] {
    // Acknowledgements come in order, so what lacks one is near the end.
    return this.sent.slice(-2 * AT_ONCE).filter(({ acknowledged }) => !acknowledged);
  }

  /** False where the hub was gone before it was connected. */
  async connect(hub: HubProcess): Promise<boolean> {
    const client = connectDevice(this.#options.identity, hub);
    this.#client = client;
    this.desired = null;
    client.on('message', (_, payload) => {
      this.desired = parseJson(desired, payload, MESSAGE_LIMIT, `${this.id}/desired`);
    });
    const closed = this.#closed(client, hub);
    const there = await Promise.race([
      new Promise<true>((resolve) => client.once('connect', () => resolve(true))),
      closed.then(() => false),
    ]);
    if (!there) return false;
    const at = new Date().toISOString();
    const said = client.publishAsync(
      topicOf(this.id, 'status'),
      JSON.stringify({ online: true, agent: 'crash', at }),
      { qos: 1 },
    );
    await Promise.race([
      Promise.all([said, client.subscribeAsync(topicOf(this.id, 'desired'), { qos: 1 })]),
      closed,
    ]).catch(() => undefined);
    return client.connected;
  }

  /** Makes windows and sends them until the hub is gone, or the signal says so; then until all of them are acknowledged. */
  async run(hub: HubProcess, stop: AbortSignal): Promise<void> {
    const client = this.#client;
    if (client === null) return;
    let there = true;
    const closed = this.#closed(client, hub).then(() => {
      there = false;
    });
    let told = 0;
    while (there && client.connected && (!stop.aborted || this.unacknowledged.length > 0)) {
      while (!stop.aborted && this.desired !== null && this.unacknowledged.length < AT_ONCE)
        this.sent.push({ report: this.#make(this.desired), acknowledged: false });
      const messages = this.unacknowledged.flatMap((one) =>
        this.#options.random.uniform() < TWICE ? [one, one] : [one],
      );
      const sending = messages.map((one) => this.#send(client, one));
      if (this.desired !== null && this.desired.revision !== told) {
        told = this.desired.revision;
        sending.push(this.#tell(client, this.desired));
      }
      await Promise.race([Promise.all(sending), closed]).catch(() => undefined);
      await Promise.race([sleep(PAUSE_MS), closed]);
    }
  }

  disconnect(): void {
    this.#client?.end(true);
    this.#client = null;
  }

  async #send(client: MqttClient, one: Sent): Promise<void> {
    await client.publishAsync(topicOf(this.id, 'windows'), JSON.stringify(one.report), { qos: 1 });
    one.acknowledged = true;
  }

  async #tell(client: MqttClient, { revision, production, candidate, serve }: Desired): Promise<void> {
    const [serving, shadow] =
      serve === 'candidate' && candidate !== null ? [candidate, production] : [production, candidate];
    const said = {
      revision,
      serving,
      shadow,
      slot: 'confirmed',
      problem: null,
      source: 'running',
      statusPage: null,
      at: new Date().toISOString(),
    };
    await client.publishAsync(topicOf(this.id, 'reported'), JSON.stringify(said), { qos: 1 });
  }

  #closed(client: MqttClient, { child }: HubProcess): Promise<unknown> {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return Promise.race([
      new Promise<void>((resolve) => client.once('close', () => resolve())),
      once(child, 'exit'),
    ]);
  }

  /** The next moment of the second that is over, of what the device shall run. */
  #make({ candidate, production, rollout, serve }: Desired): WindowReport {
    const { random, channel, outcomeOf } = this.#options;
    const { wins, losses } =
      candidate === null ? { wins: 0, losses: 0 } : COUNTS[outcomeOf(candidate.version)];
    const before = this.sent.at(-1)?.report;
    const second = Math.floor(Date.now() / 1000) * 1000 - 1000;
    const start = Math.max(second, before === undefined ? 0 : Date.parse(before.end));
    const made = report(
      (before?.sequence ?? 0) + 1,
      0,
      { wins, losses, agreed: 6 + random.integer(3) },
      {
        rollout,
        production: production.digest,
        candidate: candidate?.digest ?? null,
        serving: serve,
        slice: { channel, site: 'home', hardware: 'pi5' },
        start: new Date(start).toISOString(),
        end: new Date(start + WINDOW_MS).toISOString(),
      },
    );
    if (candidate !== null) return made;
    const { histograms, latency } = made;
    return {
      ...made,
      draws: null,
      joint: null,
      histograms: { ...histograms, candidate: null },
      latency: { ...latency, candidate: null },
    };
  }
}
