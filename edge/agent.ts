import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Desired, DeviceEvent, Reported } from '@adbreak/shared/contract/messages.js';
import { withSigned } from '@adbreak/shared/contract/signed-desired.js';
import { AdbreakError, explain, explainForPeople, hasCode } from '@adbreak/shared/errors.js';
import { pause } from '@adbreak/shared/retry.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { parentBinding } from '@adbreak/shared/video/parent-binding.js';
import { armsOf } from './arms.js';
import { capture } from './capture/capture.js';
import { type Ending, type Life, Remote } from './commands/remote.js';
import type { EdgeConfig } from './config/config.js';
import { requireWritable } from './config/state-folder.js';
import { openIdentity, requireEnrolment } from './identity/enrol.js';
import type { DeviceIdentity } from './identity/identity.js';
import { lockState } from './identity/lock.js';
import { Renewal } from './identity/renewal.js';
import { memoryMb } from './inference/memory.js';
import { type Kept, ledgerPath, openKept } from './kept.js';
import { Lineup } from './lineup.js';
import type { DesiredReader } from './models/desired-reader.js';
import type { SlotStore } from './models/slot-store.js';
import type { Trust } from './models/trust.js';
import { openTrusted } from './models/trusted.js';
import { type LabelledEpisode, type Pair, Pipeline } from './pipeline.js';
import { Problems } from './problems.js';
import { Evaluator } from './reservoir/evaluator.js';
import type { Reservoir } from './reservoir/reservoir.js';
import { StatusPage } from './status/server.js';
import { writeLedger } from './uplink/ledger-file.js';
import { Session } from './uplink/session.js';
import type { Spool } from './uplink/spool.js';

export const AGENT_VERSION = '0.1.0';

/** How often the clock is looked at. */
const LOOK_MS = 1000;

/** The agent: capture, two inference children, decision, evidence, slots, status page, uplink. */
export class Agent implements AsyncDisposable {
  readonly #config: EdgeConfig;
  readonly #log: (line: string) => void;
  readonly #slots: SlotStore;
  readonly #spool: Spool;
  readonly #pipeline: Pipeline;
  readonly #reservoir: Reservoir;
  /** Run in reverse at the end. */
  readonly #cleanup: (() => unknown)[] = [];
  readonly #stop = new AbortController();
  #lineup: Lineup | null = null;
  #reader: DesiredReader | null = null;
  #trust: Trust | null = null;
  #evaluator: Evaluator | null = null;
  #session: Session | null = null;
  #page: StatusPage | null = null;
  #renewal: Renewal | null = null;
  readonly #remote: Remote;
  readonly #problems: Problems;
  #source: Reported['source'] = 'running';
  /** One after the other: a look at the clock during a slow write waits for it. */
  readonly #windows = new SerialRunner();
  #running: Promise<void> = Promise.resolve();

  private constructor(config: EdgeConfig, { slots, spool, reservoir, before }: Kept, remote: Remote) {
    this.#config = config;
    this.#slots = slots;
    this.#spool = spool;
    this.#log = remote.log;
    this.#remote = remote;
    this.#reservoir = reservoir;
    this.#problems = new Problems(remote.log);
    this.#pipeline = new Pipeline({
      labelSeconds: config.labelSeconds,
      windowSeconds: config.windowSeconds,
      // An agent that cannot open its page does not start.
      canAsk: true,
      before,
      now: () => Date.now(),
      onEvent: (event) => void this.#event(event),
      onEpisode: (episode) => this.#page?.send('episode', episode),
      onFailure: async (role, child, reason) => this.#lineup?.replace(role, child, reason),
      onServed: () => this.#lineup?.served(),
      onLabelled: (episode) => void this.#keep(episode),
      uniform: Math.random,
    });
  }

  /** Where it cannot start it leaves nothing open behind it. */
  static async start(config: EdgeConfig, write: (line: string) => void, life: Life): Promise<Agent> {
    const remote = new Remote(write, life);
    const { log } = remote;
    await requireEnrolment(join(config.state, 'identity'), {
      device: config.device,
      authorityPath: config.authority,
      token: config.token,
    });
    await requireWritable(config.state);
    const lock = await lockState(config.state);
    const kept = await openKept(config, log).catch(async (error: unknown) => {
      await lock[Symbol.asyncDispose]();
      throw error;
    });
    const agent = new Agent(config, kept, remote);
    agent.#cleanup.push(() => lock[Symbol.asyncDispose]());
    try {
      // A window that ended while the agent was off is reported as it was, before anything new is counted.
      await agent.#turnWindow();
      await agent.#connect();
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
    agent.#running = agent.#watch();
    return agent;
  }

  /** What the hub asked for: whoever has started this agent ends it then, and begins what follows. */
  get ended(): Promise<Ending> {
    return this.#remote.ended;
  }
  get statusUrl(): string | null {
    return this.#page?.url ?? null;
  }
  async #connect(): Promise<void> {
    const { device, hub, state } = this.#config;
    const instance = randomUUID();
    const identity = await openIdentity(join(state, 'identity'), this.#enrolment(instance), this.#log);
    this.#cleanup.push(
      () => this.#page?.[Symbol.asyncDispose](),
      () => this.#session?.[Symbol.asyncDispose](),
      () => this.#renewal?.[Symbol.asyncDispose](),
    );
    this.#page = await StatusPage.start({
      ...this.#config.status,
      view: () => this.#view(),
      frame: () => this.#pipeline.lastPicture,
      picture: (episode, index) => this.#pipeline.picture(episode, index),
      label: (episode, label) => this.#pipeline.label(episode, label),
    });
    const place = { state, hub, log: this.#log, signal: this.#stop.signal };
    const { trust, models, reader } = await openTrusted(identity, place);
    this.#reader = reader;
    this.#trust = trust;
    const lineup = new Lineup({
      models,
      slots: this.#slots,
      pipeline: this.#pipeline,
      threads: this.#config.threads,
      runtime: this.#config.runtime,
      desiredPath: join(state, 'desired.json'),
      log: this.#log,
      onEvent: (event) => this.#event(event),
      onFault: (error) => this.#problems.fault(error),
      onChange: () => this.#report(),
      uniform: Math.random,
    });
    this.#lineup = lineup;
    await lineup.restore();
    this.#evaluator = new Evaluator({
      reservoir: this.#reservoir,
      models,
      identity,
      hub,
      slice: this.#config.slice,
      runtime: this.#config.runtime,
      statePath: join(state, 'rounds.json'),
      privacyBudget: this.#config.privacy.budget,
      publish: async (report) => this.#session?.round(report),
      // What goes wrong in a round is no fault of the device, unless it has nothing left to answer with.
      onFault: (error) =>
        error instanceof AdbreakError && error.code === 'forbidden'
          ? this.#problems.fault(error)
          : this.#log(`round: ${explainForPeople(error)}`),
      uniform: Math.random,
      log: this.#log,
    });
    await this.#remote.open({
      config: this.#config,
      agent: AGENT_VERSION,
      pair: () => this.#pipeline.pair,
      onTrial: () => this.#slots.state.trial !== null,
      publish: async (id, reply) => this.#session?.reply(id, reply),
    });
    this.#session = new Session({
      identity,
      hub,
      instance,
      agentVersion: withSigned(AGENT_VERSION),
      spool: this.#spool,
      log: this.#log,
      uniform: Math.random,
      onDesired: (message) => void this.#desired(message),
      onCommand: (id, message) => this.#remote.take(id, message),
      onRefused: (reason) => {
        if (this.#problems.refused(reason)) this.#renewal?.hurry();
      },
    });
    await this.#remote.begin();
    this.#renewal = this.#keepAlive(identity, instance, () => trust.now());
    // Not one timer for each window: the clock may step.
    const timer = setInterval(
      () => void this.#turnWindow(),
      Math.min(LOOK_MS, this.#config.windowSeconds * 250),
    );
    this.#cleanup.push(() => clearInterval(timer));
    this.#log(`${device}: status page ${this.#page.url}`);
  }

  #enrolment(instance: string) {
    const { device, hub, authority, token } = this.#config;
    return { device, hub, authorityPath: authority, token, instance };
  }

  #keepAlive(identity: DeviceIdentity, instance: string, now: () => number): Renewal {
    return new Renewal({
      ...this.#enrolment(instance),
      identity,
      now,
      log: this.#log,
      uniform: Math.random,
      onRenewed: () => {
        this.#problems.renewed();
        this.#session?.renew();
      },
      onFault: (error) => this.#problems.renewalFailed(error),
    });
  }

  // — what the hub wants —

  async #desired(message: Uint8Array): Promise<void> {
    try {
      const desired = await this.#reader?.take(message);
      if (desired === undefined) return;
      this.#problems.desiredSays(null);
      this.#follow(desired, this.#trust?.hasHeard === true);
    } catch (error) {
      if (!hasCode(error, 'desired_forged', 'desired_untimely'))
        return this.#log(`desired state: ${explain(error)}`);
      this.#problems.desiredSays(error);
      await this.#report();
    }
  }

  #follow(desired: Desired, signed: boolean): void {
    this.#lineup?.want(desired, { signed });
    this.#pipeline.order(desired, { signed });
    this.#problems.reportRefused(desired.refusal ?? null);
    this.#evaluator?.want(desired.evaluation, desired.model);
  }

  // — the frames —

  /** A labelled episode stays on this device, for federated rounds. */
  async #keep({ label, frames }: LabelledEpisode): Promise<void> {
    const size = this.#pipeline.pair?.production.model.manifest.preprocess;
    if (size === undefined || this.#config.reservoir.episodes === 0) return;
    const { width, height, scaler } = size;
    await this.#reservoir
      .add({ label, source: 'button', at: new Date().toISOString(), width, height, scaler }, frames)
      .catch((error: unknown) => this.#log(`reservoir: ${explain(error)}`));
  }

  async #watch(): Promise<void> {
    const pair = await this.#firstPair();
    if (pair === null) return;
    const { preprocess } = pair.production.model.manifest;
    if ((await parentBinding()).length === 0)
      this.#log(
        'setpriv of util-linux is missing or too old: if this agent is killed, its ffmpeg may stay until its source gives a frame',
      );
    for await (const event of capture(this.#config.source, preprocess, this.#stop.signal)) {
      switch (event.kind) {
        case 'frame':
          if (this.#source !== 'running')
            await this.#sourceIs('running', {
              kind: 'signal-back',
              at: new Date().toISOString(),
              reason: 'frames again',
            });
          await this.#pipeline.process(event.frame, event.dropped, preprocess);
          break;
        case 'lost':
          this.#log(`source lost: ${event.reason}; next try in ${event.retryInMs / 1000} s`);
          this.#pipeline.interrupt();
          if (this.#source !== 'lost')
            await this.#sourceIs('lost', {
              kind: 'signal-lost',
              at: new Date().toISOString(),
              reason: event.reason.slice(0, 500),
            });
          break;
        case 'ended':
          this.#pipeline.interrupt();
          await this.#sourceIs('ended', {
            kind: 'source-ended',
            at: new Date().toISOString(),
            reason: this.#config.source.input.slice(0, 500),
          });
          break;
      }
    }
  }

  async #firstPair(): Promise<Pair | null> {
    while (this.#pipeline.pair === null && !this.#stop.signal.aborted) await pause(100, this.#stop.signal);
    return this.#pipeline.pair;
  }

  async #sourceIs(source: Reported['source'], event: DeviceEvent): Promise<void> {
    this.#source = source;
    await this.#event(event);
    await this.#report();
  }

  // — what the hub and the page see —

  #turnWindow(): Promise<void> {
    return this.#inTurn(() => this.#closeWindow());
  }
  #inTurn(task: () => Promise<void>): Promise<void> {
    return this.#windows.run(task).catch((error: unknown) => this.#log(`window: ${explain(error)}`));
  }

  async #closeWindow(): Promise<void> {
    if (!this.#pipeline.windowIsOver) return;
    const { pair } = this.#pipeline;
    this.#pipeline.countHealth(
      this.#problems.takeDownloadFailures(),
      await memoryMb([process.pid, pair?.production.pid, pair?.candidate?.pid]),
    );
    const closed = this.#pipeline.closeWindow();
    // First what has left the ledger, then the reports: a power cut between the two costs a window, the other way round it counts twice.
    await this.#saveLedger();
    for (const report of closed) await this.#spool.add({ ...report, slice: this.#config.slice });
    await this.#spool.flush();
    this.#problems.spoolSays(this.#spool.problem);
    const late = this.#reader?.problem ?? null;
    if (late !== null && this.#problems.current === null) this.#problems.desiredSays(late);
    await this.#report();
  }

  /** On a full disk the reports still go out from memory; what a restart would lose then is said. */
  async #saveLedger(): Promise<void> {
    await writeLedger(ledgerPath(this.#config.state), this.#pipeline.evidence).catch((error: unknown) =>
      this.#log(`windows: ${explain(error)}`),
    );
  }

  async #event(event: DeviceEvent): Promise<void> {
    this.#page?.send('event', event);
    await this.#session?.event(event);
  }

  async #report(): Promise<void> {
    const { pair } = this.#pipeline;
    const occupied = this.#slots.state.trial === null ? 'confirmed' : 'trial';
    const { acting, shadow } = armsOf(pair?.desired);
    await this.#session?.report({
      revision: pair?.desired.revision ?? 0,
      serving: acting,
      shadow,
      slot: pair === null ? 'factory' : occupied,
      problem: this.#problems.current,
      source: this.#source,
      statusPage: this.#page?.url ?? null,
      at: new Date().toISOString(),
    });
  }

  #view() {
    const { pair } = this.#pipeline;
    const { device, slice } = this.#config;
    const { acting, shadow } = armsOf(pair?.desired);
    return {
      device,
      channel: slice.channel,
      ...this.#pipeline.view,
      source: this.#source,
      problem: this.#problems.current,
      connected: this.#session?.connected ?? false,
      showing: this.#remote.showing,
      waitingReports: this.#spool.size,
      serving: acting?.version ?? null,
      shadow: shadow?.version ?? null,
      trial: this.#slots.state.trial !== null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    // Together: a frame may be waiting for a child that is being replaced.
    await Promise.all([
      this.#running,
      this.#lineup?.[Symbol.asyncDispose](),
      this.#evaluator?.[Symbol.asyncDispose](),
      this.#remote[Symbol.asyncDispose](),
    ]);
    await this.#turnWindow();
    // The open window goes on after a restart; a part of it is no report.
    await this.#inTurn(() => this.#saveLedger());
    for (const clean of this.#cleanup.toReversed()) await clean();
  }
}
