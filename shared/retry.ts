import { setTimeout as sleep } from 'node:timers/promises';
import { anySignal } from './any-signal.js';
import { type Backoff, pauseAfter } from './backoff.js';

export interface RetryOptions {
  readonly backoff: Backoff;
  /** Ends a pause at once, and with it the retrying. */
  readonly signal: AbortSignal;
  /** [0, 1) */
  readonly uniform: () => number;
  /** What another try cannot mend is thrown; without it everything is tried again. */
  readonly retryable?: (error: unknown) => boolean;
  /** How long the other side wants to be left alone after this error, milliseconds. */
  readonly atLeast?: (error: unknown) => number;
  /** Hears of each failure that is followed by another try. */
  readonly onFailure?: (error: unknown, pauseMs: number) => void | Promise<void>;
  readonly pause?: typeof pause;
}

/** Tries until it works. Rejects with what cannot be retried, or, once `signal` says stop, with the signal's reason. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const {
    backoff,
    signal,
    uniform,
    retryable = () => true,
    atLeast = () => 0,
    onFailure,
    pause: rest = pause,
  } = options;
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    let pauseMs: number;
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!retryable(error)) throw error;
      pauseMs = Math.max(pauseAfter(backoff, failures, uniform()), atLeast(error));
      await onFailure?.(error, pauseMs);
    }
    await rest(pauseMs, signal);
  }
}

/** Waits, but no longer than until one of the signals says stop; which of both it was, the signals tell. */
export async function pause(milliseconds: number, ...signals: readonly AbortSignal[]): Promise<void> {
  using over = anySignal(signals);
  if (over.signal.aborted) return;
  await sleep(milliseconds, undefined, { signal: over.signal }).catch(() => undefined);
}
