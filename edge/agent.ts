import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Desired, type DeviceEvent, desired as desiredSchema, MESSAGE_LIMIT, type ModelRef, type Reported } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain, explainForPeople } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { GOLDEN_TOLERANCE, testPattern } from '@adbreak/shared/video/patterns.js';
import { capture } from './capture/capture.js';
import type { EdgeConfig } from './config/config.js';
import { openIdentity } from './identity/enrol.js';
import { lockState } from './identity/lock.js';
import { InferenceChild, type ModelFile } from './inference/child.js';
import { ModelStore } from './models/fetch.js';
import { SlotStore } from './models/slot-store.js';
import { MOST_STARTS, serving, stepSlots } from './models/slots.js';
import { type Pair, Pipeline } from './pipeline.js';
import { StatusPage } from './status/server.js';
import { Session } from './uplink/session.js';
import { Spool } from './uplink/spool.js';

export const AGENT_VERSION = '0.1.0';
/** Real inferences that a new model must serve before it is confirmed. */
const CONFIRM_AFTER = 20;
const RETRY_MS = 15_000;
/** A child that dies this often under one assignment is given up. */
const MOST_CRASHES = 3;

/** The agent: capture, two inference children, decision, evidence, slots, status page, uplink. */
export class Agent implements AsyncDisposable {
  readonly #config: EdgeConfig;
  readonly #log: (line: string) => void;
  readonly #slots: SlotStore;
  readonly #spool: Spool;
  readonly #pipeline: Pipeline;
  /** Run in reverse at the end. */
  readonly #cleanup: (() => unknown)[] = [];
  readonly #stop = new AbortController();
  #models!: ModelStore;
  #session: Session | null = null;
  #page: StatusPage | null = null;
  #wanted: Desired | null = null;
  #converging: Promise<void> = Promise.resolve();
  #problem: Reported['problem'] = null;
  #source: Reported['source'] = 'running';
  #served = 0;
  #crashes = 0;
  #windowStart = new Date();
  #running: Promise<void> = Promise.resolve();

  private constructor(config: EdgeConfig, slots: SlotStore, spool: Spool, log: (line: string) => void) {
    this.#config = config;
    this.#slots = slots;
    this.#spool = spool;
    this.#log = log;
    this.#pipeline = new Pipeline({
      labelSeconds: config.labelSeconds,
      now: () => Date.now(),
      onEvent: (event) => void this.#event(event),
      onEpisode: (episode) => this.#page?.send('episode', episode),
      onFailure: (role, child, reason) => this.#replace(role, child, reason),
      onServed: () => this.#onServed(),
    });
  }

  static async start(config: EdgeConfig, log: (line: string) => void): Promise<Agent> {
    const lock = await lockState(config.state);
    const slots = await SlotStore.open(join(config.state, 'models'), log);
    const agent = new Agent(config, slots, await Spool.open(join(config.state, 'spool'), log), log);
    agent.#cleanup.push(() => lock[Symbol.asyncDispose]());
    await agent.#connect();
    agent.#running = agent.#watch();
    return agent;
  }

  get statusUrl(): string | null {
    return this.#page?.url ?? null;
  }
  /** Resolves when a file source has ended, or the agent is stopped. */
  get finished(): Promise<void> {
    return this.#running;
  }

  get #desiredPath(): string {
    return join(this.#config.state, 'desired.json');
  }

  async #connect(): Promise<void> {
    const { device, hub, authority, token, state } = this.#config;
    const instance = randomUUID();
    const identity = await openIdentity({ device, hub, authorityPath: authority, token, folder: join(state, 'identity'), instance });
    this.#models = new ModelStore(join(state, 'models'), identity, hub);
    this.#page = await StatusPage.start({
      ...this.#config.status,
      view: () => this.#view(),
      frame: () => this.#frame(),
      label: (episode, label) => this.#pipeline.label(episode, label),
    });
    const stored = await readLimited(this.#desiredPath, MESSAGE_LIMIT);
    if (stored !== undefined) this.#want(parseJson(desiredSchema, stored, MESSAGE_LIMIT, this.#desiredPath, 'state_corrupt'));
    this.#session = new Session({
      identity,
      hub,
      instance,
      agentVersion: AGENT_VERSION,
      spool: this.#spool,
      log: this.#log,
      onDesired: (desired) => this.#want(desired),
      onRefused: (reason) => this.#refused(reason),
    });
    this.#cleanup.push(
      () => this.#page?.[Symbol.asyncDispose](),
      () => this.#session?.[Symbol.asyncDispose](),
    );
    const timer = setInterval(
      () => void this.#closeWindow().catch((error: unknown) => this.#log(`window: ${explain(error)}`)),
      this.#config.windowSeconds * 1000,
    );
    this.#cleanup.push(() => clearInterval(timer));
    this.#log(`${device}: status page ${this.#page.url}`);
  }

  // — what the hub wants —

  #want(desired: Desired): void {
    if (this.#wanted !== null && desired.revision <= this.#wanted.revision) return;
    this.#wanted = desired;
    this.#crashes = 0;
    // A newer revision supersedes: the running convergence sees that it is stale and gives way.
    this.#converging = this.#converging.then(() => this.#converge(desired));
  }

  async #converge(desired: Desired): Promise<void> {
    while (this.#wanted === desired && !this.#stop.signal.aborted) {
      try {
        await this.#adopt(desired);
        this.#problem = null;
        // What was adopted is adopted again after a power cut, hub or no hub.
        await writeAtomic(this.#desiredPath, JSON.stringify(desired)).catch((error: unknown) => this.#fault(error));
        return await this.#report();
      } catch (error) {
        // The models at work go on working; a broken assignment never stops the programme.
        this.#fault(error);
        await this.#report();
        if (error instanceof AdbreakError && (error.code === 'model_corrupt' || error.code === 'model_unsupported')) return;
        await sleep(RETRY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  /** Brings the wanted models to work. A candidate that cannot run costs the candidate: production acts alone, and the error is thrown after that. */
  async #adopt(desired: Desired): Promise<void> {
    const before = this.#pipeline.pair;
    const production = await this.#child(desired.model, desired.production, before);
    let trouble: unknown = null;
    const lose = (error: unknown) => {
      trouble = error;
      return null;
    };
    let candidate = desired.candidate === null ? null : await this.#candidate(desired, production, before).catch(lose);
    const fresh = () => [production, candidate].filter((child) => child !== null && child !== before?.production && child !== before?.candidate);
    if (this.#wanted !== desired) return this.#discard(fresh());
    if (candidate !== null && desired.serve === 'candidate' && !(await this.#trialMayGoOn(desired))) {
      await this.#discard(fresh().filter((child) => child !== production));
      candidate = lose(
        new AdbreakError(
          'model_unsupported',
          `Cannot run ${desired.model} ${desired.candidate?.version}: it was started ${MOST_STARTS} times without being confirmed`,
        ),
      );
    }
    const effective: Desired = candidate === null ? { ...desired, candidate: null, serve: 'production' } : desired;
    await this.#switchTo(effective);
    this.#pipeline.install({ desired: effective, production, candidate });
    await this.#discard([before?.production, before?.candidate].filter((child) => child !== undefined && child !== production && child !== candidate));
    const [acting, shadow] = effective.serve === 'candidate' ? [effective.candidate, effective.production] : [effective.production, effective.candidate];
    this.#log(`revision ${desired.revision}: ${acting?.version} acts${shadow === null ? '' : `, ${shadow.version} in its shadow`}`);
    if (trouble !== null) throw trouble;
  }

  async #candidate(desired: Desired, production: InferenceChild, before: Pair | null): Promise<InferenceChild | null> {
    if (desired.candidate === null) return null;
    const child = await this.#child(desired.model, desired.candidate, before);
    const [ours, theirs] = [production.model.manifest.preprocess, child.model.manifest.preprocess];
    // Both look at one and the same frame: that is what makes their episodes pairs.
    if (ours.width === theirs.width && ours.height === theirs.height && ours.scaler === theirs.scaler) return child;
    await child[Symbol.asyncDispose]();
    throw new AdbreakError(
      'model_unsupported',
      `Cannot compare ${desired.candidate.version} with ${desired.production.version}: it needs frames of ${theirs.width}×${theirs.height} (${theirs.scaler}), production has ${ours.width}×${ours.height} (${ours.scaler})`,
    );
  }

  /** A child with the model: the one that runs already, or a new one that has passed its probe. */
  async #child(name: string, model: ModelRef, before: Pair | null): Promise<InferenceChild> {
    const running = [before?.production, before?.candidate].find((child) => child?.alive && child.model.manifest.digest === model.digest);
    if (running !== undefined && running !== null) return running;
    if (this.#slots.state.quarantined.includes(model.digest))
      throw new AdbreakError('model_unsupported', `Cannot run ${name} ${model.version}: it failed its trial on this device`);
    return this.#startProbed(await this.#models.obtain(name, model));
  }

  /** Golden patterns through a new model before it sees a real frame. */
  async #startProbed(file: ModelFile): Promise<InferenceChild> {
    const child = await InferenceChild.start(file, { threads: this.#config.threads, runtime: this.#config.runtime });
    try {
      const { golden, preprocess, name, version } = file.manifest;
      for (const { pattern, ad } of golden) {
        const { probability } = await child.infer(testPattern(pattern, preprocess.width, preprocess.height));
        if (Math.abs(probability - ad) > GOLDEN_TOLERANCE)
          throw new AdbreakError(
            'model_corrupt',
            `Cannot run ${name} ${version}: test pattern ${pattern} gives ${probability.toFixed(3)}; its manifest says ${ad.toFixed(3)}`,
          );
      }
      return child;
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** After a restart in the middle of a trial: counts the start durably; false when it has crashed too often. */
  async #trialMayGoOn({ candidate }: Desired): Promise<boolean> {
    const { state } = this.#slots;
    const first = this.#pipeline.pair === null;
    if (!first || state.trial === null || state.trial.model.digest !== candidate?.digest) return true;
    await this.#slots.save(stepSlots(state, { kind: 'start' }));
    return this.#slots.state.trial !== null;
  }

  /** The only switch point: the slot state is durable before the new model acts. */
  async #switchTo(desired: Desired): Promise<void> {
    const model = desired.serve === 'candidate' && desired.candidate !== null ? desired.candidate : desired.production;
    const { state } = this.#slots;
    this.#served = 0;
    if (serving(state)?.digest === model.digest) return;
    if (state.confirmed?.digest === model.digest || state.previous?.digest === model.digest)
      return this.#slots.save(stepSlots(state, { kind: 'return', model }));
    await this.#slots.save(stepSlots(stepSlots(state, { kind: 'arm', model }), { kind: 'start' }));
  }

  #onServed(): void {
    this.#served += 1;
    if (this.#served !== CONFIRM_AFTER || this.#slots.state.trial === null) return;
    const { model } = this.#slots.state.trial;
    void this.#slots
      .save(stepSlots(this.#slots.state, { kind: 'confirm' }))
      .then(async () => {
        this.#log(`${model.version} confirmed after ${CONFIRM_AFTER} inferences`);
        await this.#event({ kind: 'slot-confirmed', at: new Date().toISOString(), model, reason: `${CONFIRM_AFTER} inferences served` });
        await this.#report();
      })
      .catch((error: unknown) => this.#fault(error));
  }

  // — what goes wrong —

  async #replace(role: 'production' | 'candidate', child: InferenceChild, reason: string): Promise<void> {
    const { pair } = this.#pipeline;
    if (pair === null || pair[role] !== child) return;
    this.#crashes += 1;
    this.#pipeline.countRestart();
    this.#log(`${role} ${child.model.manifest.version}: ${reason}`);
    await child[Symbol.asyncDispose]();
    const acts = pair.desired.serve === role;
    if (this.#crashes >= MOST_CRASHES && role === 'candidate') return this.#giveUpCandidate(pair, acts, reason);
    await sleep(Math.min(RETRY_MS, 250 * 2 ** this.#crashes), undefined, { signal: this.#stop.signal }).catch(() => undefined);
    if (this.#stop.signal.aborted) return;
    try {
      this.#pipeline.install({ ...pair, [role]: await this.#startProbed(child.model) });
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The candidate's crashes cost the candidate: production acts alone until the hub decides otherwise. */
  async #giveUpCandidate(pair: Pair, acts: boolean, reason: string): Promise<void> {
    const model = pair.desired.candidate;
    const alone: Desired = { ...pair.desired, candidate: null, serve: 'production' };
    if (acts) {
      await this.#slots.save(stepSlots(this.#slots.state, { kind: 'fail' }));
      if (serving(this.#slots.state)?.digest !== alone.production.digest)
        await this.#slots.save(stepSlots(this.#slots.state, { kind: 'return', model: alone.production }));
      if (model !== null) await this.#event({ kind: 'slot-fell-back', at: new Date().toISOString(), model, reason: reason.slice(0, 500) });
    }
    this.#pipeline.install({ desired: alone, production: pair.production, candidate: null });
    this.#fault(new AdbreakError('inference_failed', `${model?.version ?? 'the candidate'} failed ${MOST_CRASHES} times and was given up: ${reason}`));
    await this.#report();
  }

  #fault(error: unknown): void {
    this.#log(explainForPeople(error));
    this.#problem = { code: error instanceof AdbreakError ? error.code : 'unexpected', message: explain(error).slice(0, 500) };
  }
  #refused(reason: AdbreakError | null): void {
    if (reason === null) {
      if (this.#problem?.code === 'identity_in_use' || this.#problem?.code === 'identity_revoked') this.#problem = null;
    } else if (this.#problem?.code !== reason.code) this.#fault(reason);
  }

  // — the frames —

  async #watch(): Promise<void> {
    const pair = await this.#firstPair();
    if (pair === null) return;
    const { preprocess } = pair.production.model.manifest;
    for await (const event of capture(this.#config.source, preprocess, this.#stop.signal)) {
      switch (event.kind) {
        case 'frame':
          if (this.#source !== 'running') await this.#sourceIs('running', { kind: 'signal-back', at: new Date().toISOString(), reason: 'frames again' });
          await this.#pipeline.process(event.frame, event.dropped, preprocess);
          break;
        case 'lost':
          this.#log(`source lost: ${event.reason}; next try in ${event.retryInMs / 1000} s`);
          this.#pipeline.interrupt();
          if (this.#source !== 'lost') await this.#sourceIs('lost', { kind: 'signal-lost', at: new Date().toISOString(), reason: event.reason.slice(0, 500) });
          break;
        case 'ended':
          this.#pipeline.interrupt();
          await this.#sourceIs('ended', { kind: 'source-ended', at: new Date().toISOString(), reason: this.#config.source.input.slice(0, 500) });
          break;
      }
    }
  }

  async #firstPair(): Promise<Pair | null> {
    while (this.#pipeline.pair === null && !this.#stop.signal.aborted) await sleep(100, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    return this.#pipeline.pair;
  }

  async #sourceIs(source: Reported['source'], event: DeviceEvent): Promise<void> {
    this.#source = source;
    await this.#event(event);
    await this.#report();
  }

  // — what the hub and the page see —

  async #closeWindow(): Promise<void> {
    const start = this.#windowStart;
    const end = new Date();
    this.#windowStart = end;
    for (const counts of this.#pipeline.closeWindow())
      await this.#spool.add({ ...counts, start: start.toISOString(), end: end.toISOString(), slice: this.#config.slice });
    await this.#spool.flush();
    const { problem } = this.#spool;
    if (problem !== null && this.#problem === null) this.#fault(problem);
    else if (problem === null && this.#problem?.code === 'disk_full') this.#problem = null;
    await this.#report();
  }

  async #event(event: DeviceEvent): Promise<void> {
    this.#page?.send('event', event);
    await this.#session?.event(event);
  }

  async #report(): Promise<void> {
    const { pair } = this.#pipeline;
    const { trial } = this.#slots.state;
    const acting = pair === null ? null : pair.desired.serve === 'candidate' ? pair.desired.candidate : pair.desired.production;
    const shadow = pair === null ? null : pair.desired.serve === 'candidate' ? pair.desired.production : pair.desired.candidate;
    await this.#session?.report({
      revision: pair?.desired.revision ?? 0,
      serving: acting,
      shadow,
      slot: pair === null ? 'factory' : trial === null ? 'confirmed' : 'trial',
      problem: this.#problem,
      source: this.#source,
      statusPage: this.#page?.url ?? null,
      at: new Date().toISOString(),
    });
  }

  #view() {
    const { pair } = this.#pipeline;
    const { device, slice } = this.#config;
    const acting = pair?.desired.serve === 'candidate' ? pair.desired.candidate : pair?.desired.production;
    const other = pair?.desired.serve === 'candidate' ? pair.desired.production : pair?.desired.candidate;
    return {
      device,
      channel: slice.channel,
      ...this.#pipeline.view,
      source: this.#source,
      problem: this.#problem,
      connected: this.#session?.connected ?? false,
      waitingReports: this.#spool.size,
      serving: acting?.version ?? null,
      shadow: other?.version ?? null,
      trial: this.#slots.state.trial !== null,
    };
  }

  #frame(): { pixels: Uint8Array; width: number; height: number } | null {
    const frame = this.#pipeline.lastFrame;
    const size = this.#pipeline.pair?.production.model.manifest.preprocess;
    return frame === null || size === undefined ? null : { pixels: frame.pixels, width: size.width, height: size.height };
  }

  async #discard(children: readonly (InferenceChild | null | undefined)[]): Promise<void> {
    await Promise.all(children.map((child) => child?.[Symbol.asyncDispose]()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#converging;
    await this.#closeWindow();
    await this.#discard([this.#pipeline.pair?.production, this.#pipeline.pair?.candidate]);
    for (const clean of this.#cleanup.toReversed()) await clean();
  }
}
