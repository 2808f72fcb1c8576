import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { publish } from '@adbreak/hub/testing/chain.js';
import { enrol, HubEnded, type HubProcess, kill, spawnHub } from '@adbreak/hub/testing/killed.js';
import type { PostgresServer } from '@adbreak/hub/testing/postgres.js';
import { episodesOfHours } from '@adbreak/hub/testing/store.js';
import { explain } from '@adbreak/shared/errors.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { CrashDevice, type Outcome } from './device.js';
import { Ledger } from './ledger.js';
import { Operator } from './operator.js';
import { PLAN } from './plan.js';
import { DOOM, isStep, STEPS, type Step } from './steps.js';
import { place, type StoreName } from './stores.js';

const DEVICES = 6;
const CHANNELS = ['one', 'two', 'three'] as const;
/** A step that a hub does not pass in this time is given up, and the hub killed where it is. */
const STEP_MS = 15_000;
const LOAD_MS = 900;
/** A server is gone for so long at most. */
const AWAY_MS = 2000;
const AGAIN_MS = 200;

/** How a hub ends: at a step, some time after devices and people came, or before it has started. */
type End =
  | { readonly kind: 'step'; readonly step: Step; readonly passage: number }
  | { readonly kind: 'load'; readonly after: number }
  /** After a share of the time that the last start took. */
  | { readonly kind: 'start'; readonly share: number }
  /** The database's server crashes under the hub and comes back; then the hub is killed too. */
  | { readonly kind: 'server'; readonly after: number; readonly away: number };

export interface RunOptions {
  readonly store: StoreName;
  readonly kills: number;
  readonly seed: string;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
  /** Ends what was begun, whatever becomes of the run. */
  readonly after: (close: () => void) => void;
}
export interface RunResult {
  readonly kills: number;
  /** Crashes of the database's server that a hub has lived through. */
  readonly servers: number;
  readonly by: Readonly<Record<string, number>>;
  readonly ledger: Ledger;
  readonly reports: number;
  readonly acknowledged: number;
}

export async function crashStore(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  await run.go();
  return run.result;
}

/** One store, one fleet, one folder, and many hubs on it, one after the other. */
class Run {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #devices: CrashDevice[] = [];
  readonly #by: Record<string, number> = {};
  readonly #operator: Operator;
  #ledger = new Ledger([], '');
  #folder = '';
  #plan = '';
  #startMs = 0;
  #token = '';
  #kills = 0;
  #servers = 0;
  #server: PostgresServer | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#random = seeded(`${options.seed}/${options.store}`);
    this.#operator = new Operator(this.#random.fork('people'), (line) => this.#ledger.trouble(line));
  }

  get result(): RunResult {
    const sent = this.#devices.flatMap((one) => one.sent);
    const acknowledged = sent.filter((one) => one.acknowledged).length;
    return {
      kills: this.#kills,
      servers: this.#servers,
      by: this.#by,
      ledger: this.#ledger,
      reports: sent.length,
      acknowledged,
    };
  }

  async go(): Promise<void> {
    const { kills, stop, say, store } = this.#options;
    const ends = this.#ends(kills);
    try {
      await this.#begin();
      for (const end of ends) {
        if (stop.aborted) return;
        const begun = Date.now();
        const was = await this.#life(end);
        this.#kills += 1;
        this.#by[was] = (this.#by[was] ?? 0) + 1;
        const { lost, twice, troubles } = this.#ledger;
        say(
          `${store}: kill ${this.#kills} of ${kills} in ${((Date.now() - begun) / 1000).toFixed(1)} s, ${was}; lost ${lost}, twice ${twice}, troubles ${troubles.length}`,
        );
      }
      await this.#finish();
    } catch (error) {
      if (!stop.aborted) this.#ledger.trouble(`the run ended after ${this.#kills} kills: ${explain(error)}`);
    } finally {
      await this.#server?.stop();
    }
  }

  /** Half of the kills at steps, each as often as the others; the rest at random. A server crashes with each fourth kill. */
  #ends(kills: number): End[] {
    const crashes = this.#options.store === 'sqlite' ? 0 : Math.ceil(kills / 4);
    const servers = Array.from(
      { length: crashes },
      (): End => ({
        kind: 'server',
        after: this.#random.integer(LOAD_MS),
        away: this.#random.integer(AWAY_MS),
      }),
    );
    return this.#random.shuffle([...servers, ...this.#hubEnds(kills - crashes)]);
  }
  #hubEnds(kills: number): End[] {
    const steps = Object.keys(STEPS).filter(isStep);
    const rounds = Array.from({ length: kills }, () => this.#random.shuffle(steps));
    const atSteps = rounds
      .flat()
      .slice(0, Math.ceil(kills / 2))
      .map((step): End => ({ kind: 'step', step, passage: 1 + this.#random.integer(STEPS[step].within) }));
    const others = Array.from(
      { length: kills - atSteps.length },
      (): End =>
        this.#random.uniform() < 0.2
          ? { kind: 'start', share: this.#random.between(0.3, 1) }
          : { kind: 'load', after: this.#random.integer(LOAD_MS) },
    );
    return [...atSteps, ...others];
  }

  async #begin(): Promise<void> {
    this.#folder = await temporaryFolder();
    this.#server = await place(this.#options.store, this.#folder);
    const scratch = await temporaryFolder();
    this.#plan = join(scratch, 'plan.yaml');
    await writeFile(this.#plan, PLAN);
    const hub = await this.#spawn(null);
    this.#token = hub.token;
    await publish(hub, '1.0.0');
    const outcomeOf = (version: string): Outcome =>
      seeded(`${this.#options.seed}/${version}`).pick(['good', 'good', 'bad', 'even'] as const);
    for (let i = 0; i < DEVICES; i++)
      this.#devices.push(
        new CrashDevice({
          identity: await enrol(hub, `pi-${i + 1}`),
          channel: CHANNELS[i % CHANNELS.length] ?? '',
          random: this.#random.fork(`pi-${i + 1}`),
          outcomeOf,
        }),
      );
    this.#ledger = new Ledger(this.#devices, scratch);
    await this.#operator.act(hub, 'start');
    await kill(hub);
  }
  async #spawn(
    end: End | null,
    onSpawn: (child: ChildProcess) => void = () => undefined,
  ): Promise<HubProcess> {
    const doomed = end?.kind === 'step';
    const begun = Date.now();
    const hub = await spawnHub(this.#options, this.#folder, this.#token, {
      plan: this.#plan,
      onSpawn,
      ...(doomed && {
        node: ['--import', new URL('./doom.js', import.meta.url).href],
        env: { [DOOM]: `${end.passage} ${end.step}` },
      }),
    });
    this.#startMs = Date.now() - begun;
    return hub;
  }

  /** A hub from its start to its death; by what it died. */
  async #life(end: End): Promise<string> {
    const killLater = (child: ChildProcess) =>
      void sleep(end.kind === 'start' ? end.share * this.#startMs : 0).then(() => child.kill('SIGKILL'));
    const hub = await this.#spawn(end, end.kind === 'start' ? killLater : undefined).catch(
      (error: unknown) => {
        if (error instanceof HubEnded && error.signal === 'SIGKILL') return null;
        throw error;
      },
    );
    if (hub === null) return end.kind === 'step' ? end.step : 'at random, while it starts';
    let itself = true;
    try {
      await this.#check(hub);
      itself = await this.#load(hub, end);
    } catch (error) {
      // A doomed hub may die under the checks; the next one is checked again. Its sockets end before its exit is heard of.
      if (isAlive(hub)) await Promise.race([once(hub.child, 'exit'), sleep(1000)]);
      if (isAlive(hub)) throw error;
    }
    if (itself && hub.child.signalCode !== 'SIGKILL')
      throw new Error(`the hub ended with ${hub.child.exitCode}: ${hub.words().slice(-3000)}`);
    await kill(hub);
    for (const device of this.#devices) device.disconnect();
    if (end.kind === 'step') return itself ? end.step : `step not passed: ${end.step}`;
    if (end.kind === 'server') return "at random, after the server's crash";
    return end.kind === 'start' ? 'at random, while it starts' : 'at random, under load';
  }

  async #check(hub: HubProcess): Promise<void> {
    await this.#ledger.check(hub);
    const there = await Promise.all(this.#devices.map((one) => one.connect(hub)));
    if (there.some((one) => !one)) throw new Error('a device could not connect');
    await this.#ledger.checkHeard(hub);
  }

  /** True where the hub died by itself. */
  async #load(hub: HubProcess, end: End): Promise<boolean> {
    const stop = new AbortController();
    const sending = Promise.all(this.#devices.map((one) => send(one, hub, stop.signal)));
    const wish = end.kind === 'step' ? STEPS[end.step].cause : null;
    const ordering = (async () => {
      while (isAlive(hub) && !stop.signal.aborted) {
        if (this.#random.uniform() < 0.7 || wish !== null)
          await this.#operator.act(hub, wish === 'report' ? null : wish);
        await sleep(250);
      }
    })();
    if (end.kind === 'server') await this.#crash(hub, end);
    const limit =
      end.kind === 'step' ? STEP_MS : end.kind === 'load' || end.kind === 'server' ? end.after : 0;
    await Promise.race([
      isAlive(hub) ? once(hub.child, 'exit') : null,
      sleep(limit, undefined, { signal: this.#options.stop }).catch(() => undefined),
    ]);
    const died = !isAlive(hub);
    if (!died) hub.child.kill('SIGKILL');
    stop.abort();
    await Promise.all([sending, ordering]);
    return died;
  }

  /** The hub lives through its server's crash, under load, and takes reports again: all that it acknowledged is there. */
  async #crash(hub: HubProcess, { after, away }: Extract<End, { kind: 'server' }>): Promise<void> {
    await sleep(after);
    await this.#server?.down('immediate');
    await sleep(away);
    await this.#server?.up();
    const acknowledged = () =>
      this.#devices.flatMap(({ sent }) => sent).filter((one) => one.acknowledged).length;
    const before = acknowledged();
    await until('the hub takes reports again', () => !isAlive(hub) || acknowledged() > before + DEVICES, 60);
    if (!isAlive(hub)) throw new Error(`the hub ended with its server: ${hub.words().slice(-3000)}`);
    this.#servers += 1;
  }

  /** Everything that devices still keep is taken in; then all is read once more, and the hub stops in good order. */
  async #finish(): Promise<void> {
    const hub = await this.#spawn(null);
    await this.#check(hub);
    await Promise.all(this.#devices.map((one) => one.run(hub, AbortSignal.abort())));
    for (const one of this.#devices)
      if (one.unacknowledged.length > 0)
        this.#ledger.trouble(`${one.id}: ${one.unacknowledged.length} reports were never acknowledged`);
    for (const device of this.#devices) device.disconnect();
    await this.#ledger.check(hub, true);
    await this.#ledger.replayAll(hub);
    hub.child.kill('SIGTERM');
    await once(hub.child, 'exit');
    this.#ledger.checkHours(await episodesOfHours(this.#folder));
  }
}

/** A hub that could not keep a report ends the session; the device comes again, as a real one does. */
async function send(device: CrashDevice, hub: HubProcess, stop: AbortSignal): Promise<void> {
  for (;;) {
    await device.run(hub, stop);
    if (stop.aborted || !isAlive(hub)) return;
    device.disconnect();
    await sleep(AGAIN_MS);
    if (isAlive(hub)) await device.connect(hub);
  }
}

const isAlive = ({ child }: HubProcess) => child.exitCode === null && child.signalCode === null;
