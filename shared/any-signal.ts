/** A signal that follows others, until it is let go of. */
export interface AnySignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Aborts with the first of `signals`, for its reason, or after `timeoutMs` with a TimeoutError. Whoever made it
 * disposes of it: its listeners and its timer go then. Not AbortSignal.any: on Node 20 what that makes stays with a
 * signal that lives for years.
 */
export function anySignal(signals: readonly (AbortSignal | undefined)[], timeoutMs?: number): AnySignal {
  const over = new AbortController();
  const removals: (() => void)[] = [];
  const dispose = () => {
    for (const remove of removals.splice(0)) remove();
  };
  const stop = (reason: unknown) => {
    dispose();
    over.abort(reason);
  };
  for (const signal of signals) {
    if (signal === undefined) continue;
    if (signal.aborted) {
      stop(signal.reason);
      break;
    }
    const listener = () => stop(signal.reason);
    signal.addEventListener('abort', listener, { once: true });
    removals.push(() => signal.removeEventListener('abort', listener));
  }
  if (timeoutMs !== undefined && !over.signal.aborted) {
    const late = () => stop(new DOMException(`no end within ${timeoutMs} ms`, 'TimeoutError'));
    const timer = setTimeout(late, timeoutMs).unref();
    removals.push(() => clearTimeout(timer));
  }
  return { signal: over.signal, [Symbol.dispose]: dispose };
}
