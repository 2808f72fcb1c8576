import type { Hold } from './processes.js';

/**
 * Runs work that opens things; they are closed in reverse when it ends, however it ends, and at once when the
 * signal comes.
 */
export async function withOpened<T>(signal: AbortSignal, work: (hold: Hold) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const opened: AsyncDisposable[] = [];
  let closed: Promise<void> = Promise.resolve();
  const close = () => {
    const all = opened.splice(0).reverse();
    // After the signal the work may end before what it opened has: both wait for both.
    closed = closed.then(async () => {
      for (const one of all) await one[Symbol.asyncDispose]();
    });
    return closed;
  };
  const stop = () => void close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await work((one) => void opened.push(one));
  } finally {
    signal.removeEventListener('abort', stop);
    await close();
  }
}
