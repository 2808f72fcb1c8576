interface Queue {
  /** The end of the last one that works alone; never rejects. */
  last: Promise<unknown>;
  readonly together: Set<Promise<unknown>>;
}

/**
 * Who works on a rollout: reports together, or a decision alone, in the order in which they came. A decision is made of all that was
 * committed before it, and nothing comes between its look and its commit.
 */
export class Turns {
  readonly #queues = new Map<string, Queue>();

  together<T>(id: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#of(id);
    const running = queue.last.then(work);
    queue.together.add(running);
    const done = () => void queue.together.delete(running);
    running.then(done, done);
    return running;
  }

  alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#of(id);
    const running = Promise.allSettled([queue.last, ...queue.together]).then(work);
    queue.last = running.catch(() => undefined);
    return running;
  }

  #of(id: string): Queue {
    const known = this.#queues.get(id) ?? { last: Promise.resolve(), together: new Set() };
    this.#queues.set(id, known);
    return known;
  }
}
