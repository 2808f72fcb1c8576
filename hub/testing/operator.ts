import { randomUUID } from 'node:crypto';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import {
  type OperatorReply,
  type OperatorRole,
  operatorReply,
  operatorTopic,
  parseOperatorTopic,
  type RolloutState,
  rolloutState,
} from '@adbreak/shared/contract/operators.js';
import { until } from '@adbreak/shared/testing/until.js';
import { connectAsync, type MqttClient } from 'mqtt';
import { callBy, type HubAddress } from '../cli/client.js';
import { signingRequest } from './enrol.js';

/** A test, or whoever else ends what was begun. */
interface Closing {
  after(close: () => void): void;
}
/** A hub in this process, or in one of its own. */
type CommandedHub = HubAddress &
  ({ readonly running: { readonly mqttPort: number } } | { readonly mqttPort: number });
export interface OperatorPair {
  readonly name: string;
  readonly key: string;
  readonly certificate: string;
}
/** A command without its deadline, or what is none. */
type Asked = { readonly command: string } & Readonly<Record<string, unknown>>;

export async function makeOperator(
  hub: HubAddress,
  name: string,
  role: OperatorRole,
  days?: number,
): Promise<OperatorPair> {
  const { key, csr } = await signingRequest();
  const { certificate } = await callBy(hub, operators.certificate, {
    params: { name },
    body: { csr, role, ...(days !== undefined && { days }) },
  });
  return { name, key, certificate };
}

/** A program of an operator, over the real wire: what it has heard, and commands with their replies. */
export class TestOperator {
  readonly client: MqttClient;
  /** Every state of a rollout, in the order in which they came; null: taken away. */
  readonly states: { readonly id: string; readonly state: RolloutState | null }[] = [];
  readonly replies = new Map<string, OperatorReply[]>();
  readonly #name: string;

  private constructor(client: MqttClient, name: string) {
    this.client = client;
    this.#name = name;
    client.on('message', (topic, payload) => this.#heard(topic, payload));
  }

  static async connect(
    t: Closing,
    hub: CommandedHub,
    { name, key, certificate }: OperatorPair,
  ): Promise<TestOperator> {
    const port = 'running' in hub ? hub.running.mqttPort : hub.mqttPort;
    const client = await connectAsync(`mqtts://127.0.0.1:${port}`, {
      clientId: `operator:${name}`,
      key,
      cert: certificate,
      ca: hub.authority,
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    client.on('error', () => undefined);
    t.after(() => void client.end(true));
    const operator = new TestOperator(client, name);
    await client.subscribeAsync([operatorTopic(name, 'replies', '+'), 'adbreak/v1/rollouts/+'], { qos: 1 });
    return operator;
  }

  /** Sends a command, and gives the reply that comes to this very sending. */
  async ask(
    command: Asked,
    { id = randomUUID(), deadline = in5Minutes() }: { id?: string; deadline?: string } = {},
  ): Promise<OperatorReply> {
    const before = this.replies.get(id)?.length ?? 0;
    await this.client.publishAsync(
      operatorTopic(this.#name, 'commands', id),
      JSON.stringify({ deadline, ...command }),
      { qos: 1 },
    );
    await until(`the reply to ${command.command}`, () => (this.replies.get(id)?.length ?? 0) > before);
    const reply = this.replies.get(id)?.at(-1);
    if (reply === undefined) throw new Error('there was a reply a moment ago');
    return reply;
  }

  /** How a rollout stands by the newest message. */
  stateOf(id: string): RolloutState | null | undefined {
    return this.states.findLast((one) => one.id === id)?.state;
  }

  #heard(topic: string, payload: Buffer): void {
    const parsed = parseOperatorTopic(topic);
    if (parsed?.kind === 'rollouts') {
      const state = payload.length === 0 ? null : rolloutState.parse(JSON.parse(payload.toString()));
      this.states.push({ id: parsed.rollout, state });
    } else if (parsed?.kind === 'replies') {
      const reply = operatorReply.parse(JSON.parse(payload.toString()));
      this.replies.set(parsed.id, [...(this.replies.get(parsed.id) ?? []), reply]);
    }
  }
}

export function in5Minutes(): string {
  return new Date(Date.now() + 300_000).toISOString();
}
