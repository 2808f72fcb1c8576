import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import { connect, type MqttClient } from 'mqtt';
import { z } from 'zod';
import { callHub, type HubAddress } from '../cli/client.js';
import { Pkcs10CertificateRequestGenerator } from '../identity/x509.js';
import { configPath } from '../rollouts/fixtures.js';

/** The real hub as a process that is killed, and devices with real certificates that publish windows to it. */
const BIN = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));
const started = z.object({
  httpPort: z.int(),
  mqttPort: z.int(),
  localPort: z.int().nullable(),
  token: z.string().nullable(),
});

export interface HubProcess extends HubAddress {
  readonly child: ChildProcess;
  readonly mqttPort: number;
  /** Of plain HTTP on the loopback. */
  readonly localPort: number | null;
  readonly words: () => string;
}

/** A test, or whoever else ends what was begun. */
interface Closing {
  after(close: () => void): void;
}
interface SpawnOptions {
  readonly plan?: string;
  /** Options of Node for its process, and variables beside ours. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Hears of the process before it answers, who would kill it while it starts. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** A hub that ended before it answered; `signal` where it was killed. */
export class HubEnded extends Error {
  readonly signal: string | null;
  constructor(code: unknown, signal: unknown, words: string) {
    super(`the hub ended with ${String(code ?? signal)}: ${words}`);
    this.signal = typeof signal === 'string' ? signal : null;
  }
}

/** Resolves when the hub answers; rejects with its words where it ends before. */
export async function spawnHub(
  t: Closing,
  folder: string,
  token = '',
  spawned: SpawnOptions = {},
): Promise<HubProcess> {
  const { plan = configPath('demo'), node = [], env = {}, onSpawn = () => undefined } = spawned;
  const options = [
    '--state',
    folder,
    '--http-port',
    '0',
    '--mqtt-port',
    '0',
    '--local-port',
    '0',
    '--plan',
    plan,
    '--tick',
    '* * * * * *',
  ];
  const child = spawn(process.execPath, [...node, BIN, 'hub', 'start', ...options], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  t.after(() => void child.kill('SIGKILL'));
  // Every device waits for its end.
  child.setMaxListeners(100);
  onSpawn(child);
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code, signal]) => Promise.reject(new HubEnded(code, signal, words))),
  ]);
  const { httpPort, mqttPort, localPort, token: first } = started.parse(message);
  return {
    child,
    mqttPort,
    localPort,
    words: () => words,
    hub: `https://127.0.0.1:${httpPort}`,
    token: first ?? token,
    authority: await readFile(join(folder, 'identity/ca.pem'), 'utf8'),
  };
}

export async function kill({ child }: HubProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export interface Identity {
  readonly device: string;
  readonly key: string;
  readonly certificate: string;
}

export async function enrol(hub: HubProcess, device: string): Promise<Identity> {
  const { tokens } = z
    .object({ tokens: z.array(z.string()) })
    .parse(await callHub(hub, '/api/v1/claims', { method: 'POST', json: {} }));
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const csr = (
    await Pkcs10CertificateRequestGenerator.create({
      name: `CN=${device}`,
      keys,
      signingAlgorithm: algorithm,
    })
  ).toString('pem');
  const answer = await callHub(hub, '/api/v1/enrol', {
    method: 'POST',
    json: { token: tokens[0], device, csr, instance: 'test' },
  });
  const { certificate } = z.object({ certificate: z.string() }).parse(answer);
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { device, certificate, key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}

/** A device that has `made` windows, sends what is not acknowledged, several at once, and remembers what was. */
export class Publisher {
  acknowledged = 0;
  readonly #identity: Identity;
  readonly #make: (sequence: number) => WindowReport;
  constructor(identity: Identity, make: (sequence: number) => WindowReport) {
    this.#identity = identity;
    this.#make = make;
  }

  /** Publishes windows, each of them twice in a row, until the hub is gone or `last` is acknowledged. */
  async run(hub: HubProcess, last: number): Promise<void> {
    const client = connectDevice(this.#identity, hub);
    const closed = Promise.race([
      new Promise<void>((resolve) => client.on('close', () => resolve())),
      once(hub.child, 'exit'),
    ]);
    let there = true;
    void closed.then(() => {
      there = false;
    });
    try {
      await Promise.race([new Promise<void>((resolve) => client.on('connect', () => resolve())), closed]);
      while (there && client.connected && this.acknowledged < last) {
        const batch = Array.from(
          { length: Math.min(4, last - this.acknowledged) },
          (_, i) => this.acknowledged + 1 + i,
        );
        await Promise.race([
          Promise.all(
            batch.flatMap((sequence) => [this.#publish(client, sequence), this.#publish(client, sequence)]),
          ),
          closed,
        ]).catch(() => undefined);
      }
    } finally {
      client.end(true);
    }
  }

  async #publish(client: MqttClient, sequence: number): Promise<void> {
    await client.publishAsync(
      topicOf(this.#identity.device, 'windows'),
      JSON.stringify(this.#make(sequence)),
      { qos: 1 },
    );
    this.acknowledged = Math.max(this.acknowledged, sequence);
  }
}

/** A device's session over mutual TLS, without a second attempt. */
export function connectDevice({ device, key, certificate }: Identity, hub: HubProcess): MqttClient {
  const client = connect(`mqtts://127.0.0.1:${hub.mqttPort}`, {
    clientId: device,
    username: 'test',
    key,
    cert: certificate,
    ca: hub.authority,
    reconnectPeriod: 0,
    connectTimeout: 5000,
  });
  // What matters is what was acknowledged; a killed hub is an error to every client.
  client.on('error', () => undefined);
  return client;
}
