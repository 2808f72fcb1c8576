import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { SecureClient } from '@adbreak/shared/aggregation/client.js';
import { type SecureView, secureView } from '@adbreak/shared/aggregation/messages.js';
import type { Backoff } from '@adbreak/shared/backoff.js';
import { check } from '@adbreak/shared/contract/parse.js';
import {
  ROUND_ID,
  type RoundReport,
  type RoundRequest,
  roundReport,
  secureVector,
} from '@adbreak/shared/contract/rounds.js';
import { AdbreakError, explain, hasCode } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { pause, retry } from '@adbreak/shared/retry.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';
import { z } from 'zod';
import type { Identity } from '../identity/identity.js';
import { InferenceChild } from '../inference/child.js';
import type { ModelStore } from '../models/fetch.js';
import { addNoise, COST_OF_A_ROUND, countRound, type Judged } from './count.js';
import type { Reservoir } from './reservoir.js';

interface EvaluatorOptions {
  readonly reservoir: Reservoir;
  readonly models: ModelStore;
  readonly identity: Identity;
  readonly hub: string;
  readonly slice: RoundReport['slice'];
  readonly runtime: RuntimeChoice;
  /** Where answers are kept: a round is answered once, also across restarts, or noise could be averaged away. */
  readonly statePath: string;
  /** What noise may cost in all on this device, epsilon. */
  readonly privacyBudget: number;
  readonly publish: (report: RoundReport) => Promise<void>;
  readonly onFault: (error: unknown) => void;
  /** [0, 1); how a fleet's tries are spread, nothing secret. */
  readonly uniform: () => number;
  readonly log: (line: string) => void;
}

const STATE_LIMIT = 1024 * 1024;
const KEPT_ANSWERS = 100;
/** The shares of 255 devices. */
const ANSWER_LIMIT = 256 * 1024;
const POLL_MS = 1000;
/** A whole cohort is asked at once, by one hub. */
const RETRY: Backoff = { firstMs: 10_000, longestMs: 60_000, jitter: 0.5 };
const storedSchema = z.strictObject({
  spent: z.number().nonnegative(),
  answers: z.array(roundReport).max(KEPT_ANSWERS),
  secure: z.array(z.string().regex(ROUND_ID)).max(KEPT_ANSWERS),
});
type Stored = z.infer<typeof storedSchema>;

/** Takes part in federated rounds: two models over this device's own labelled episodes, counts to the hub. One round at a time, beside the live picture. */
export class Evaluator implements AsyncDisposable {
  readonly #options: EvaluatorOptions;
  readonly #stop = new AbortController();
  readonly #rounds = new SerialRunner();
  #wanted: string | null = null;

  constructor(options: EvaluatorOptions) {
    this.#options = options;
  }

  /** The round that the hub wants answered; null for none. */
  want(request: RoundRequest | null, model: string): void {
    const before = this.#wanted;
    this.#wanted = request?.round ?? null;
    if (this.#wanted === before) return;
    // A pause before another try ends here; an answer that is being worked out is given all the same.
    this.#rounds.cancel();
    if (request !== null)
      this.#rounds.run((signal) => this.#tryUntilDone(request, model, signal)).catch(() => undefined);
  }

  /** What cannot be answered now (a hub out of reach, a crash of a model) is tried again while the round is wanted. */
  async #tryUntilDone(request: RoundRequest, model: string, signal: AbortSignal): Promise<void> {
    const { onFault, uniform } = this.#options;
    const deadline = Date.parse(request.deadline);
    const attempt = async () => (Date.now() < deadline ? this.#take(request, model) : undefined);
    const retryable = (error: unknown) => !hasCode(error, 'forbidden', 'model_corrupt', 'model_unsupported');
    await retry(attempt, {
      backoff: RETRY,
      signal,
      uniform,
      retryable,
      atLeast: retryAfterOf,
      onFailure: onFault,
    }).catch((error: unknown) => {
      if (!signal.aborted) onFault(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#rounds[Symbol.asyncDispose]();
  }

  async #take(request: RoundRequest, model: string): Promise<void> {
    const { log, identity } = this.#options;
    const state = await this.#state();
    const answered = state.answers.find(({ round }) => round === request.round);
    if (answered !== undefined) return this.#publish(answered);
    if (state.secure.includes(request.round)) return;
    const cost = request.epsilon === null ? 0 : COST_OF_A_ROUND * request.epsilon;
    if (state.spent + cost > this.#options.privacyBudget)
      throw new AdbreakError(
        'forbidden',
        `Cannot answer ${request.round}: its noise costs ${cost} of epsilon, ${(this.#options.privacyBudget - state.spent).toFixed(2)} of ${this.#options.privacyBudget} are left on this device`,
        { remedy: 'Raise privacy.budget in edge.yaml, or ask with --secure.' },
      );
    const judged = await this.#judge(request, model);
    const now = new Date();
    const exact = countRound(judged, now);
    log(
      `round ${request.round}: ${judged.length} labelled episodes, ${request.candidate.version} beside ${request.production.version}`,
    );
    if (request.secure) {
      // Known as begun before the first message: after a crash the device is a dropout, never a second voice.
      await this.#save({ ...state, secure: [...state.secure, request.round].slice(-KEPT_ANSWERS) });
      return this.#answerSecurely(request, secureVector(exact.counts));
    }
    const counts = request.epsilon === null ? exact : addNoise(exact, request.epsilon, unpredictable);
    const report: RoundReport = {
      round: request.round,
      production: request.production.digest,
      candidate: request.candidate.digest,
      ...counts,
      slice: this.#options.slice,
      epsilonSpent: state.spent + cost,
      at: now.toISOString(),
    };
    // Spent before it is sent: a crash in between costs privacy budget, never privacy.
    await this.#save({
      ...state,
      spent: state.spent + cost,
      answers: [...state.answers, report].slice(-KEPT_ANSWERS),
    });
    await this.#publish(report);
    log(`round ${request.round}: answered as ${identity.device}`);
  }

  /** Waits for the hub's acknowledgement, but not beyond the agent's life: the answer is on disk and goes out after the next start. */
  async #publish(report: RoundReport): Promise<void> {
    const { signal } = this.#stop;
    if (!signal.aborted) await Promise.race([this.#options.publish(report), once(signal, 'abort')]);
  }

  /** Both models over every episode whose frames fit them. Episodes that cannot be read are left out, and said so. */
  async #judge(request: RoundRequest, name: string): Promise<Judged[]> {
    const { reservoir, models, runtime, log } = this.#options;
    await using production = await InferenceChild.start(
      await models.obtain(name, request.production, this.#stop.signal),
      { threads: 1, runtime },
    );
    await using candidate = await InferenceChild.start(
      await models.obtain(name, request.candidate, this.#stop.signal),
      { threads: 1, runtime },
    );
    const fits = [production, candidate].map(({ model }) => model.manifest.preprocess);
    const judged: Judged[] = [];
    for (const kept of reservoir.entries) {
      if (this.#stop.signal.aborted)
        throw new AdbreakError('conflict', `Cannot finish ${request.round}: the agent stops`);
      if (
        fits.some(
          ({ width, height, scaler }) =>
            width !== kept.width || height !== kept.height || scaler !== kept.scaler,
        )
      )
        continue;
      try {
        const frames = await reservoir.frames(kept);
        // It had to make room for a newer one since the round began.
        if (frames === null) continue;
        judged.push({
          kept,
          production: await meanOf(production, frames),
          candidate: await meanOf(candidate, frames),
        });
      } catch (error) {
        if (!(error instanceof AdbreakError) || error.code !== 'state_corrupt') throw error;
        log(`reservoir: ${explain(error)}`);
      }
    }
    return judged;
  }

  async #answerSecurely(request: RoundRequest, vector: readonly number[]): Promise<void> {
    const { identity, hub, log } = this.#options;
    // One connection for a round, which is asked about every second.
    await using asking = new HubClient(hub, identity);
    const path = `/agent/evaluations/${request.round}`;
    const call = (to: string, body?: unknown) =>
      asking.ask(to, {
        what: `take part in ${request.round}`,
        body,
        signal: this.#stop.signal,
        limit: ANSWER_LIMIT,
      });
    const client = new SecureClient(identity.device, (n) => new Uint8Array(randomBytes(n)));
    const done = new Set<string>();
    const deadline = Date.parse(request.deadline);
    while (!this.#stop.signal.aborted && Date.now() < deadline) {
      const view: SecureView = check(secureView, await call(path), 'the phase of a secure round');
      if (view.phase === 'over') return log(`round ${request.round}: ${view.reason}`);
      if (!done.has(view.phase)) {
        done.add(view.phase);
        await call(`${path}/${view.phase}`, messageOf(client, view, vector));
      }
      await pause(POLL_MS, this.#stop.signal);
    }
  }

  async #state(): Promise<Stored> {
    return (
      (await readJson(storedSchema, this.#options.statePath, STATE_LIMIT)) ?? {
        spent: 0,
        answers: [],
        secure: [],
      }
    );
  }
  #save(state: Stored): Promise<void> {
    return writeAtomic(this.#options.statePath, JSON.stringify(state), { mode: 0o600 });
  }
}

function messageOf(
  client: SecureClient,
  view: Exclude<SecureView, { phase: 'over' }>,
  vector: readonly number[],
): unknown {
  switch (view.phase) {
    case 'keys':
      return client.advertise();
    case 'shares':
      return { boxes: client.shareOut(view.peers, view.threshold) };
    case 'masked':
      return { vector: client.mask(vector, view.boxes) };
    case 'unmask':
      return client.unmask(view.survivors);
  }
}

async function meanOf(child: InferenceChild, frames: readonly Uint8Array[]): Promise<number> {
  let sum = 0;
  for (const frame of frames) sum += (await child.infer(frame)).probability;
  return sum / frames.length;
}

/** [0, 1), so that nobody can take the noise off again. */
function unpredictable(): number {
  return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
}
