import { AdbreakError } from '@adbreak/shared/errors.js';

export interface Order<T> {
  /** The same thing, whoever wants it: it is made once. */
  readonly key: string;
  /** The higher one is made first; of two alike the one that was asked for last: who has moved on does not want the old. */
  readonly priority: number;
  readonly make: (signal: AbortSignal) => Promise<T>;
}
interface Job<T> {
  readonly order: Order<T>;
  priority: number;
  turn: number;
  waiting: number;
  readonly stop: AbortController;
  readonly result: Promise<T>;
  readonly begin: () => void;
  isRunning: boolean;
}

/** Who waits longest for a thing that others crowd out. */
const MOST_WAITING = 500;

/**
 * A few makers for many who want something made: a thing that several want is made once, one that nobody waits for any more is
 * called off, and what is urgent takes the place of what is not.
 */
export class Work<T> {
  readonly #slots: number;
  readonly #jobs = new Map<string, Job<T>>();
  #turn = 0;

  constructor(slots: number) {
    this.#slots = slots;
  }

  /** What is made, once it is. Rejects as the maker does, with the signal's reason, or where too many wait. */
  async want(order: Order<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const job = this.#jobs.get(order.key) ?? this.#add(order);
    job.waiting += 1;
    job.priority = Math.max(job.priority, order.priority);
    job.turn = this.#turn++;
    let leave = () => {};
    const gone = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
    });
    signal.addEventListener('abort', leave, { once: true });
    try {
      this.#begin();
      return await Promise.race([job.result, gone]);
    } finally {
      signal.removeEventListener('abort', leave);
      job.waiting -= 1;
      if (job.waiting === 0) this.#leave(job);
    }
  }

  #add(order: Order<T>): Job<T> {
    if (this.#jobs.size >= MOST_WAITING)
      throw new AdbreakError('too_many_requests', `Cannot make more than ${MOST_WAITING} things at once`, {
        remedy: 'Wait a moment, and ask again for what is looked at.',
      });
    const stop = new AbortController();
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const result = begun.then(() => {
      stop.signal.throwIfAborted();
      return order.make(stop.signal);
    });
    const job: Job<T> = {
      ...{ order, priority: order.priority, turn: 0, waiting: 0, stop, result },
      begin,
      isRunning: false,
    };
    this.#jobs.set(order.key, job);
    const done = () => {
      if (this.#jobs.get(order.key) === job) this.#jobs.delete(order.key);
      job.isRunning = false;
      this.#begin();
    };
    result.then(done, done);
    return job;
  }

  #begin(): void {
    const jobs = [...this.#jobs.values()];
    const running = jobs.filter(({ isRunning }) => isRunning);
    const [next] = jobs
      .filter(({ isRunning }) => !isRunning)
      .sort((a, b) => b.priority - a.priority || b.turn - a.turn);
    if (next === undefined) return;
    if (running.length < this.#slots) {
      next.isRunning = true;
      next.begin();
      this.#begin();
    }
  }

  /** Nobody waits for it: it ends, and the next may come. */
  #leave(job: Job<T>): void {
    if (this.#jobs.get(job.order.key) === job) this.#jobs.delete(job.order.key);
    job.stop.abort();
    job.begin();
  }
}
