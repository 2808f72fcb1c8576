type Task<T> = (signal: AbortSignal) => T | Promise<T>;

/**
 * One run at a time, in the order of asking. A run learns from its signal that it is to give way, and the next one waits until it
 * has ended all the same: two of them never overlap. A run that fails keeps nobody behind it from running.
 */
export class SerialRunner implements AsyncDisposable {
  #last: Promise<unknown> = Promise.resolve();
  #stop = new AbortController();
  #closed = false;

  /** After all that was asked for before. Rejects as the task does, or with an AbortError where the task was called off before it began. */
  run<T>(task: Task<T>): Promise<T> {
    const { signal } = this.#stop;
    const result = this.#last.then(() => {
      signal.throwIfAborted();
      return task(signal);
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** In the place of all that was asked for before: what runs is told to stop, what waits does not begin. */
  preempt<T>(task: Task<T>): Promise<T> {
    this.cancel();
    return this.run(task);
  }

  /** What runs is told to stop, what waits does not begin. */
  cancel(): void {
    this.#stop.abort();
    if (!this.#closed) this.#stop = new AbortController();
  }

  /** Calls everything off, also what comes later, and waits for what runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.cancel();
    await this.#last;
  }
}

/** A runner for each name: what concerns one waits for its own kind alone. */
export class SerialRunners {
  readonly #byName = new Map<string, SerialRunner>();

  run<T>(name: string, task: Task<T>): Promise<T> {
    const runner = this.#byName.get(name) ?? new SerialRunner();
    this.#byName.set(name, runner);
    return runner.run(task);
  }
}
