import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceKey, RawClient } from '@adbreak/hub/broker/testing.js';
import { callBy, callHub } from '@adbreak/hub/cli/client.js';
import { Authority } from '@adbreak/hub/identity/authority.js';
import { Browser } from '@adbreak/hub/testing/browser.js';
import { publish } from '@adbreak/hub/testing/chain.js';
import {
  connectDevice,
  enrol,
  type HubProcess,
  type Identity,
  kill,
  spawnHub,
} from '@adbreak/hub/testing/killed.js';
import { makeOperator } from '@adbreak/hub/testing/operator.js';
import { storedState } from '@adbreak/hub/testing/store.js';
import { ROLES, type Role } from '@adbreak/shared/contract/http/access.js';
import { accounts } from '@adbreak/shared/contract/http/accounts.js';
import { tokens } from '@adbreak/shared/contract/http/tokens.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { MqttClient } from 'mqtt';
import { unchanging } from './state.js';

/** An enrolled device that goes wrong, and all that it has opened. */
export class Rogue {
  readonly device: string;
  readonly tls: {
    readonly host: string;
    readonly port: number;
    readonly ca: string;
    readonly key: string;
    readonly cert: string;
  };
  readonly #closers: (() => void)[] = [];

  constructor({ device, key, certificate }: Identity, { mqttPort, authority }: HubProcess) {
    this.device = device;
    this.tls = { host: '127.0.0.1', port: mqttPort, ca: authority, key, cert: certificate };
  }

  get identity(): Identity {
    return { device: this.device, key: this.tls.key, certificate: this.tls.cert };
  }

  /** An operator's certificate in the place of the device's. */
  as({ key, certificate }: { readonly key: string; readonly certificate: string }): Rogue['tls'] {
    return { ...this.tls, key, cert: certificate };
  }

  after(close: () => void): void {
    this.#closers.push(close);
  }
  leave(): void {
    for (const close of this.#closers.splice(0)) close();
  }
}

/** How long the good device waited, milliseconds, and in a sentence. */
export interface Measured {
  readonly p99: number;
  readonly waited: string;
}
function worse(a: Measured | null, b: Measured): Measured {
  return a !== null && a.p99 > b.p99 ? a : b;
}

/** An operator over MQTT who does nothing wrong. */
export const DESK = 'desk';
/** Of everybody who signs in here. */
export const PASSWORD = 'five quiet herons wade';
/** A word of the good device is on the hub's disk in this time, whatever others do. */
const MOST_MS = 1000;
const LEAST_WORDS = 100;

/**
 * A real hub in a process of its own, with two versions, a rollout that is paused, and a device that does
 * nothing wrong.
 */
export class Ground {
  readonly hub: HubProcess;
  readonly folder: string;
  readonly #closers: (() => void)[];
  readonly #good: MqttClient;
  readonly good: string;
  /** Tokens by their roles; `lost` was revoked. */
  readonly tokens = new Map<Role | 'lost', string>();
  /** Sessions of people by their roles, as their browsers' cookies hold them. */
  readonly sessions = new Map<Role, string>();
  /** The time stamp of the signed metadata before the last one. */
  earlier = '';
  /** The rollout that is paused. */
  rollout = '';
  #enrolled = 0;
  readonly #measured: Measured[] = [];

  private constructor(hub: HubProcess, folder: string, good: Identity, closers: (() => void)[]) {
    this.hub = hub;
    this.folder = folder;
    this.good = good.device;
    this.#closers = closers;
    this.#good = connectDevice(good, hub);
  }

  static async open(): Promise<Ground> {
    const folder = await temporaryFolder();
    const closers: (() => void)[] = [];
    const hub = await spawnHub({ after: (close) => closers.push(close) }, folder);
    await publish(hub, '1.0.0');
    const ground = new Ground(hub, folder, await enrol(hub, 'good'), closers);
    ground.earlier = await readFile(join(folder, 'registry/metadata/timestamp.json'), 'utf8');
    await publish(hub, '2.0.0');
    // So that no look of the gate is taken for the work of an attacker.
    ground.rollout = (await storedState(folder)).rollouts[0]?.id ?? '';
    await callHub(hub, `/api/v1/rollouts/${ground.rollout}/pause`, {
      method: 'POST',
      json: { reason: 'attacks' },
    });
    for (const role of ROLES) await ground.#admit(role);
    await makeOperator(hub, DESK, 'operator');
    const { token } = await callBy(hub, tokens.create, { body: { id: 'lost', role: 'admin' } });
    ground.tokens.set('lost', token);
    await callBy(hub, tokens.revoke, { params: { id: 'lost' } });
    await ground.answers();
    return ground;
  }

  /** Somebody of a role, who has a token and is signed in. */
  async #admit(role: Role): Promise<void> {
    const { token } = await callBy(this.hub, tokens.create, { body: { id: role, role } });
    this.tokens.set(role, token);
    await callBy(this.hub, accounts.add, { body: { name: role, role, password: PASSWORD } });
    const browser = new Browser(this.hub, '127.2.0.1');
    await browser.post('/sign-in', { name: role, password: PASSWORD });
    this.sessions.set(role, browser.cookie ?? '');
  }

  get isThere(): boolean {
    const { exitCode, signalCode } = this.hub.child;
    return exitCode === null && signalCode === null;
  }

  async close(): Promise<void> {
    this.#good.end(true);
    await kill(this.hub);
    for (const close of this.#closers) close();
  }

  /** A device of its own for a row: what it is refused for follows it. */
  async enrol(): Promise<Rogue> {
    this.#enrolled += 1;
    return new Rogue(await enrol(this.hub, `rogue-${this.#enrolled}`), this.hub);
  }

  /** The fleet's authority, as somebody would have it who has stolen its key. */
  stolenAuthority(lifeMs = 3_600_000): Promise<Authority> {
    const lifetimes = { device: lifeMs, server: lifeMs };
    return Authority.open(join(this.folder, 'identity'), new Date(), { lifetimes, begin: false });
  }
  /** A key with a certificate of this fleet's authority that nobody was given; it may live for a moment only. */
  async forged(device: string, lifeMs?: number): Promise<{ key: string; cert: string }> {
    const { key, certificate } = await deviceKey(await this.stolenAuthority(lifeMs), device);
    return { key, cert: certificate };
  }

  /** All that an attack must leave as it is, as it lies on the hub's disk. */
  unchanging(): Promise<string> {
    return unchanging(this.folder);
  }

  /** A place in the hub's log. */
  mark(): number {
    return this.hub.words().length;
  }
  /** Waits for a line behind a place that holds a code and a word. */
  async logged(mark: number, code: ErrorCode, about: string): Promise<void> {
    const isIt = (line: string) => line.includes(`${code}: `) && line.includes(about);
    await until(`the log says ${code} of ${about || 'it'}`, () =>
      this.hub.words().slice(mark).split('\n').some(isIt),
    );
  }

  /**
   * The good device says a word, and hears that it is on the hub's disk. Milliseconds; throws where that took
   * too long.
   */
  async answers(): Promise<number> {
    const begun = performance.now();
    await until('the good device is connected', () => this.#good.connected);
    const word = JSON.stringify({ online: true, agent: 'good', at: new Date().toISOString() });
    await this.#good.publishAsync(topicOf(this.good, 'status'), word, { qos: 1 });
    return performance.now() - begun;
  }

  /** What `during` gives. While it goes on the good device is answered: 99 of 100 times within a second. */
  async undisturbed<T>(during: Promise<T>): Promise<T> {
    let over = false;
    const end = during.finally(() => {
      over = true;
    });
    const times: number[] = [];
    // Handled below; without it a failure while the good device waits would be nobody's.
    end.catch(() => undefined);
    while (!over || times.length < LEAST_WORDS) {
      times.push(await this.answers());
      // It has a quota itself.
      await sleep(times.length < LEAST_WORDS ? 15 : 150);
    }
    const result = await end;
    const p99 = times.sort((a, b) => a - b)[Math.ceil(0.99 * times.length) - 1] ?? 0;
    const waited = `the good device waited ${p99.toFixed(0)} ms (p99 of ${times.length})`;
    if (p99 > MOST_MS) throw new Error(waited);
    this.#measured.push({ p99, waited });
    return result;
  }

  /** The longest that the good device waited since this was asked before; null where nobody looked. */
  measured(): Measured | null {
    return this.#measured.splice(0).reduce<Measured | null>(worse, null);
  }

  /** Resident memory of the hub, MiB. */
  async memory(): Promise<number> {
    const text = await readFile(`/proc/${this.hub.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1024;
  }
}

/**
 * What a raw client must not have heard: anything about another device, or an acknowledgement of what it
 * tried.
 */
export function assertHeardNothing(client: RawClient, ...types: readonly number[]): void {
  for (const type of types) {
    const [heard] = client.packets(type);
    if (heard !== undefined) throw new Error(`it heard a packet of type ${type}: ${heard.slice(0, 200)}`);
  }
}

export async function ended(client: RawClient, what: string, seconds = 10): Promise<void> {
  await until(`the session ends after ${what}`, () => client.closed, seconds);
}

/** A session of a rogue that was accepted, over raw bytes. */
export function rawSession(rogue: Rogue): Promise<RawClient> {
  return RawClient.connected(rogue, rogue.tls, { id: rogue.device });
}
