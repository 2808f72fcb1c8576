import { setTimeout as sleep } from 'node:timers/promises';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { harmless, type Log } from '@adbreak/shared/log.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import type { EpochRecord, RunHeader, RunOutcome, Tracker } from '../ports.js';
import type { DatedTracker } from './tracker.js';

/** What a tracker has of its guard. */
export interface Watch {
  /** Says that nobody waits any longer. */
  readonly signal: AbortSignal;
  /** Hears of trouble that the tracker goes on from: another try follows, or something is left out. */
  readonly troubled: (error: unknown) => void;
}

interface GuardOptions {
  /** As people know it. */
  readonly name: string;
  readonly log: Log;
  /** So many epochs may wait; those beyond are left out. */
  readonly queue?: number;
  /** How long the end of a training waits for what is still to be told, milliseconds. */
  readonly drainMs?: number;
  /** The same where a person has interrupted it. */
  readonly interruptedMs?: number;
}

/**
 * A tracker that neither stops nor slows a training: what happens is queued and told in the background, in
 * order; only the end waits, within a limit. The first trouble is logged with what to do. A tracker that
 * fails is told nothing more.
 */
export function guarded(make: (watch: Watch) => Promise<DatedTracker>, options: GuardOptions): Tracker {
  return new Guard(make, options);
}

class Guard implements Tracker {
  readonly #name: string;
  readonly #log: Log;
  readonly #limits: { readonly queue: number; readonly drainMs: number; readonly interruptedMs: number };
  readonly #make: (watch: Watch) => Promise<DatedTracker>;
  readonly #runner = new SerialRunner();
  readonly #stop = new AbortController();
  #tracker: DatedTracker | null = null;
  #state: 'following' | 'given up' = 'following';
  #said = false;
  #waiting = 0;
  #leftOut = 0;

  constructor(make: (watch: Watch) => Promise<DatedTracker>, options: GuardOptions) {
    const { name, log, queue = 1000, drainMs = 30_000, interruptedMs = 1500 } = options;
    this.#make = make;
    this.#name = name;
    this.#log = log;
    this.#limits = { queue, drainMs, interruptedMs };
  }

  async begin(run: RunHeader): Promise<void> {
    const at = new Date();
    void this.#queue(async () => {
      const watch = { signal: this.#stop.signal, troubled: (error: unknown) => this.#trouble(error) };
      this.#tracker = await this.#make(watch);
      await this.#tracker.begin(run, at);
    });
  }

  async epoch(record: EpochRecord): Promise<void> {
    const at = new Date();
    if (this.#waiting >= this.#limits.queue) this.#leftOut += 1;
    else void this.#queue(async () => this.#tracker?.epoch(record, at));
  }

  async end(outcome: RunOutcome): Promise<void> {
    const at = new Date();
    const limit = this.#limits[outcome.status === 'interrupted' ? 'interruptedMs' : 'drainMs'];
    const told = this.#queue(async () => this.#tracker?.end(outcome, at)).then(() => 'told' as const);
    const over = new AbortController();
    const late = sleep(limit, 'late' as const, { signal: over.signal }).catch(() => 'late' as const);
    const result = await Promise.race([told, late]);
    over.abort();
    if (this.#state === 'following' && result === 'late') this.#giveUpAtTheEnd(limit);
    else if (this.#state === 'following' && this.#leftOut > 0)
      this.#log(`${this.#name} was too slow for ${this.#leftOut} epochs: they are missing there`);
    this.#state = 'given up';
    this.#stop.abort();
  }

  /** Ends when it is done or has failed; never rejects. */
  async #queue(work: () => Promise<unknown>): Promise<void> {
    this.#waiting += 1;
    try {
      await this.#runner.run(async () => {
        if (this.#state === 'following') await work();
      });
    } catch (error) {
      if (this.#state === 'following') this.#fail(error);
    } finally {
      this.#waiting -= 1;
    }
  }

  #fail(error: unknown): void {
    this.#state = 'given up';
    this.#stop.abort();
    this.#say('The training goes on, and is not followed there any more.', error);
  }

  #trouble(error: unknown): void {
    this.#say('The training goes on.', error);
  }

  #giveUpAtTheEnd(limit: number): void {
    const missing = this.#waiting - 1 + this.#leftOut;
    const line = `${this.#name} did not take everything within ${limit / 1000} s`;
    this.#log(`${line}: its end is missing there, and up to ${missing} epochs`);
  }

  #say(consequence: string, error: unknown): void {
    if (this.#said) return;
    this.#said = true;
    const remedy = error instanceof AdbreakError ? ` What to do: ${error.remedy}` : '';
    this.#log(harmless(`${this.#name}: ${explain(error)}. ${consequence}${remedy}`), { error });
  }
}
