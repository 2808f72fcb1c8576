import { type Backoff, pauseAfter } from '@adbreak/shared/backoff.js';
import {
  type Desired,
  type DeviceEvent,
  desired as desiredSchema,
  MESSAGE_LIMIT,
  type ModelRef,
} from '@adbreak/shared/contract/messages.js';
import { AdbreakError, explain, hasCode } from '@adbreak/shared/errors.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { pause, retry } from '@adbreak/shared/retry.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { GOLDEN_TOLERANCE, testPattern } from '@adbreak/shared/video/patterns.js';
import { armsOf } from './arms.js';
import { InferenceChild, type ModelFile } from './inference/child.js';
import type { ModelStore } from './models/fetch.js';
import { ModelFault } from './models/model-fault.js';
import type { SlotStore } from './models/slot-store.js';
import { MOST_STARTS, type SlotState, serving, stepSlots } from './models/slots.js';
import type { Pair, Pipeline } from './pipeline.js';

/** Real inferences that a new model must serve before it is confirmed. */
const CONFIRM_AFTER = 20;
/** An assignment that cannot be adopted: many devices may have it, and one hub gives it to them. */
const ADOPTION: Backoff = { firstMs: 10_000, longestMs: 60_000, jitter: 0.5 };
/** A child that died: nobody else waits for this device. */
const REPLACEMENT: Backoff = { firstMs: 500, longestMs: 15_000, jitter: 0 };
/** A child that dies this often under one assignment is given up. */
const MOST_CRASHES = 3;

interface LineupOptions {
  readonly models: ModelStore;
  readonly slots: SlotStore;
  readonly pipeline: Pipeline;
  readonly threads: number;
  readonly runtime: RuntimeChoice;
  /** Where the adopted assignment is kept for a start without a hub. */
  readonly desiredPath: string;
  readonly log: (line: string) => void;
  readonly onEvent: (event: DeviceEvent) => Promise<void>;
  /** Something is wrong; null when it is over. */
  readonly onFault: (error: unknown) => void;
  readonly onChange: () => Promise<void>;
  /** [0, 1) */
  readonly uniform: () => number;
}

/** Which models are at work: brings the device from what it runs to what the hub wants, and keeps it there through crashes. */
export class Lineup implements AsyncDisposable {
  readonly #options: LineupOptions;
  readonly #stop = new AbortController();
  #wanted: Desired | null = null;
  readonly #converging = new SerialRunner();
  /** What this agent has loaded on trial, by digest. */
  readonly #started = new Set<string>();
  #served = 0;
  #crashes = 0;

  constructor(options: LineupOptions) {
    this.#options = options;
  }

  /** What was adopted before the last stop is wanted again; the hub may say otherwise later, and is waited for where it cannot be read. */
  async restore(): Promise<void> {
    const { desiredPath, log } = this.#options;
    try {
      const stored = await readJson(desiredSchema, desiredPath, MESSAGE_LIMIT);
      if (stored !== undefined) this.want(stored);
    } catch (error) {
      await setAside(desiredPath, error, 'the hub is asked', (line) => log(`assignment: ${line}`));
    }
  }

  /**
   * A higher revision supersedes, also in the middle of an update; an old one is not looked at. One that is signed comes in
   * order (edge/models/desired-reader.ts): with a lower number it is the first of a key that took the place of another, whose
   * word counts no more.
   */
  want(desired: Desired, { signed = false } = {}): void {
    const last = this.#wanted?.revision ?? 0;
    if (signed ? desired.revision === last : desired.revision <= last) return;
    this.#wanted = desired;
    this.#crashes = 0;
    // One that was called off before it began has nothing to say.
    this.#converging.preempt((signal) => this.#converge(desired, signal)).catch(() => undefined);
  }

  async #converge(desired: Desired, signal: AbortSignal): Promise<void> {
    const { uniform } = this.#options;
    const retryable = (error: unknown) => !hasCode(error, 'model_corrupt', 'model_unsupported');
    const onFailure = (error: unknown) => this.#cannotAdopt(error);
    try {
      await retry(() => this.#bringToWork(desired, signal), {
        backoff: ADOPTION,
        signal,
        uniform,
        retryable,
        atLeast: retryAfterOf,
        onFailure,
      });
    } catch (error) {
      if (!signal.aborted) await this.#cannotAdopt(error);
    }
  }

  async #bringToWork(desired: Desired, signal: AbortSignal): Promise<void> {
    await this.#adopt(desired, signal);
    this.#options.onFault(null);
    // What was adopted is adopted again after a power cut, hub or no hub.
    await writeAtomic(this.#options.desiredPath, JSON.stringify(desired)).catch((error: unknown) =>
      this.#options.onFault(error),
    );
    await this.#makeRoom();
    await this.#options.onChange();
  }

  /** The models at work go on working; a broken assignment never stops the programme. */
  async #cannotAdopt(error: unknown): Promise<void> {
    this.#options.onFault(error);
    await this.#options.onChange();
  }

  /** Switches to the wanted models. A candidate that cannot run costs the candidate: production acts alone, and the error is thrown after that. */
  async #adopt(desired: Desired, signal: AbortSignal): Promise<void> {
    const before = this.#options.pipeline.pair;
    const production = await this.#child(desired.model, desired.production, before).catch(
      ModelFault.of(desired.production),
    );
    let trouble: unknown = null;
    const lose = (error: unknown) => {
      trouble = error;
      return null;
    };
    const candidate =
      desired.candidate === null
        ? null
        : await this.#candidate(desired, production, before)
            .catch(ModelFault.of(desired.candidate))
            .catch(lose);
    const fresh = () =>
      [production, candidate].filter(
        (child) => child !== null && child !== before?.production && child !== before?.candidate,
      );
    // A newer revision supersedes, and a stop: what is not at work yet never will be.
    if (signal.aborted) await this.#discard(fresh());
    signal.throwIfAborted();
    const effective: Desired =
      candidate === null ? { ...desired, candidate: null, serve: 'production' } : desired;
    await this.#switchTo(effective);
    this.#options.pipeline.install({ desired: effective, production, candidate });
    await this.#discard(
      [before?.production, before?.candidate].filter(
        (child) => child !== undefined && child !== production && child !== candidate,
      ),
    );
    const { acting, shadow } = armsOf(effective);
    this.#options.log(
      `revision ${desired.revision}: ${acting?.version} acts${shadow === null ? '' : `, ${shadow.version} in its shadow`}`,
    );
    if (trouble !== null) throw trouble;
  }

  async #candidate(
    desired: Desired,
    production: InferenceChild,
    before: Pair | null,
  ): Promise<InferenceChild | null> {
    if (desired.candidate === null) return null;
    const child = await this.#child(desired.model, desired.candidate, before, (file) =>
      this.#countStart(file),
    );
    const [ours, theirs] = [production.model.manifest.preprocess, child.model.manifest.preprocess];
    // Both look at one and the same frame: that is what makes their episodes pairs.
    if (ours.width === theirs.width && ours.height === theirs.height && ours.scaler === theirs.scaler)
      return child;
    await child[Symbol.asyncDispose]();
    throw new AdbreakError(
      'model_unsupported',
      `Cannot compare ${desired.candidate.version} with ${desired.production.version}: it needs frames of ${theirs.width}×${theirs.height} (${theirs.scaler}), production has ${ours.width}×${ours.height} (${ours.scaler})`,
    );
  }

  /**
   * A child with the model: the one that runs already, or a new one that has passed its probe. `onLoad` comes right
   * before it is loaded.
   */
  async #child(
    name: string,
    model: ModelRef,
    before: Pair | null,
    onLoad?: (file: ModelFile) => Promise<void>,
  ): Promise<InferenceChild> {
    const running = [before?.production, before?.candidate].find(
      (child) => child?.alive && child.model.manifest.digest === model.digest,
    );
    if (running !== undefined && running !== null) return running;
    if (this.#options.slots.state.quarantined.includes(model.digest))
      throw new AdbreakError(
        'model_unsupported',
        `Cannot run ${name} ${model.version}: it failed its trial on this device`,
      );
    const file = await this.#options.models.obtain(name, model, this.#stop.signal);
    await onLoad?.(file);
    return this.#startProbed(file);
  }

  /** Golden patterns through a new model before it sees a real frame. */
  async #startProbed(file: ModelFile): Promise<InferenceChild> {
    const child = await InferenceChild.start(file, {
      threads: this.#options.threads,
      runtime: this.#options.runtime,
    });
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

  /**
   * After a restart in the middle of a trial: the start is counted, durably, before anything of the model is loaded. One that
   * takes the whole agent with it, or the Pi, is loaded so often and not again. An agent counts one start, however often it adopts.
   */
  async #countStart({ manifest }: ModelFile): Promise<void> {
    const { digest, name, version } = manifest;
    const onTrial = this.#options.slots.state.trial?.model.digest === digest;
    if (!onTrial || this.#started.has(digest)) return;
    const counted = await this.#options.slots.change((slots) => stepSlots(slots, { kind: 'start' }));
    this.#started.add(digest);
    if (counted.trial === null)
      throw new AdbreakError(
        'model_unsupported',
        `Cannot run ${name} ${version}: it was started ${MOST_STARTS} times without being confirmed`,
      );
  }

  /** The only switch point: the slot state is durable before the new model acts. */
  async #switchTo(desired: Desired): Promise<void> {
    const model =
      desired.serve === 'candidate' && desired.candidate !== null ? desired.candidate : desired.production;
    this.#served = 0;
    // A trial that begins here has its first start: this agent has loaded the model, and tries no second one.
    this.#started.add(model.digest);
    await this.#options.slots.change((state) => switchTo(model, state));
  }

  /** One more frame was served. A new model is confirmed by real inferences, not by having been downloaded. */
  served(): void {
    this.#served += 1;
    if (this.#served !== CONFIRM_AFTER || this.#options.slots.state.trial === null) return;
    const { model } = this.#options.slots.state.trial;
    const onTrial = (state: SlotState) => state.trial?.model.digest === model.digest;
    void this.#options.slots
      .change((state) => (onTrial(state) ? stepSlots(state, { kind: 'confirm' }) : state))
      .then(async ({ confirmed }) => {
        if (confirmed?.digest !== model.digest) return;
        this.#options.log(`${model.version} confirmed after ${CONFIRM_AFTER} inferences`);
        await this.#options.onEvent({
          kind: 'slot-confirmed',
          at: new Date().toISOString(),
          model,
          reason: `${CONFIRM_AFTER} inferences served`,
        });
        await this.#options.onChange();
        await this.#makeRoom();
      })
      .catch((error: unknown) => this.#options.onFault(error));
  }

  /** A child failed: a new one takes its place, or the candidate is given up. */
  async replace(role: 'production' | 'candidate', child: InferenceChild, reason: string): Promise<void> {
    const { pair } = this.#options.pipeline;
    if (pair === null || pair[role] !== child || this.#stop.signal.aborted) return;
    this.#crashes += 1;
    this.#options.pipeline.countRestart();
    this.#options.log(`${role} ${child.model.manifest.version}: ${reason}`);
    await child[Symbol.asyncDispose]();
    const acts = pair.desired.serve === role;
    try {
      if (this.#crashes >= MOST_CRASHES && role === 'candidate')
        return await this.#giveUpCandidate(pair, acts, reason);
      await pause(pauseAfter(REPLACEMENT, this.#crashes, 0), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const fresh = await this.#startProbed(child.model).catch(ModelFault.of(child.model.manifest));
      // A new assignment may have come meanwhile: then this child has no place any more.
      if (this.#options.pipeline.pair === pair) this.#options.pipeline.install({ ...pair, [role]: fresh });
      else await fresh[Symbol.asyncDispose]();
    } catch (error) {
      // A child that does not start, a slot state that a full disk does not take: the next frame tries again.
      this.#options.onFault(error);
    }
  }

  /** Once nothing is on trial, models that no slot, assignment or round names are deleted. What cannot be deleted costs its space alone. */
  async #makeRoom(): Promise<void> {
    const { models, slots, pipeline, log } = this.#options;
    const { confirmed, trial, previous } = slots.state;
    if (trial !== null) return;
    const { pair } = pipeline;
    const named = [
      confirmed,
      previous,
      ...[this.#wanted, pair?.desired, this.#wanted?.evaluation].flatMap((one) => [
        one?.production,
        one?.candidate,
      ]),
      pair?.production.model.manifest,
      pair?.candidate?.model.manifest,
    ];
    await models
      .deleteAllBut(new Set(named.flatMap((model) => model?.digest ?? [])), log)
      .catch((error: unknown) => log(`models: cannot look for what may be deleted: ${explain(error)}`));
  }

  /** The candidate's crashes cost the candidate: production acts alone until the hub decides otherwise. */
  async #giveUpCandidate(pair: Pair, acts: boolean, reason: string): Promise<void> {
    const model = pair.desired.candidate;
    const alone: Desired = { ...pair.desired, candidate: null, serve: 'production' };
    if (acts) {
      await this.#options.slots.change((state) => fallBackTo(alone.production, state));
      if (model !== null)
        await this.#options.onEvent({
          kind: 'slot-fell-back',
          at: new Date().toISOString(),
          model,
          reason: reason.slice(0, 500),
        });
    }
    this.#options.pipeline.install({ desired: alone, production: pair.production, candidate: null });
    const fault = new AdbreakError(
      'inference_failed',
      `${model?.version ?? 'the candidate'} failed ${MOST_CRASHES} times and was given up: ${reason}`,
    );
    this.#options.onFault(model === null ? fault : new ModelFault(model, fault));
    await this.#options.onChange();
  }

  async #discard(children: readonly (InferenceChild | null | undefined)[]): Promise<void> {
    await Promise.all(children.map((child) => child?.[Symbol.asyncDispose]()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#converging[Symbol.asyncDispose]();
    const { pair } = this.#options.pipeline;
    await this.#discard([pair?.production, pair?.candidate]);
  }
}

/** A model that has proved itself here serves at once; any other is on trial. */
function switchTo(model: ModelRef, state: SlotState): SlotState {
  if (serving(state)?.digest === model.digest) return state;
  const proved = [state.confirmed, state.previous].some((known) => known?.digest === model.digest);
  return proved
    ? stepSlots(state, { kind: 'return', model })
    : stepSlots(stepSlots(state, { kind: 'arm', model }), { kind: 'start' });
}

/** What is on trial has failed, and this model serves. */
function fallBackTo(model: ModelRef, state: SlotState): SlotState {
  const failed = stepSlots(state, { kind: 'fail' });
  return serving(failed)?.digest === model.digest ? failed : stepSlots(failed, { kind: 'return', model });
}
