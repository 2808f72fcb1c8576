/**
 * What the browser keeps for this address. It may forbid that (private windows, policies) or be full: then the page goes
 * on with what it keeps itself, and who writes is told.
 */
export class PageStorage {
  readonly #storageOf: () => Storage;
  /** What the browser did not take. */
  readonly #own = new Map<string, string>();

  constructor(storageOf: () => Storage) {
    this.#storageOf = storageOf;
  }

  get(key: string): string | null {
    return this.#own.get(key) ?? this.#tried((storage) => storage.getItem(key), null);
  }

  /** Whether it outlives the page. */
  set(key: string, text: string): boolean {
    const isKept = this.#tried((storage) => {
      storage.setItem(key, text);
      return true;
    }, false);
    if (isKept) this.#own.delete(key);
    else this.#own.set(key, text);
    return isKept;
  }

  remove(key: string): void {
    this.#own.delete(key);
    this.#tried((storage) => storage.removeItem(key), undefined);
  }

  keys(): string[] {
    const kept = this.#tried(
      (storage) => Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? ''),
      [],
    );
    return [...new Set([...kept, ...this.#own.keys()])];
  }

  #tried<T>(use: (storage: Storage) => T, otherwise: T): T {
    try {
      return use(this.#storageOf());
    } catch (error) {
      // SecurityError where storage is forbidden, QuotaExceededError where it is full.
      if (error instanceof DOMException) return otherwise;
      throw error;
    }
  }
}

export const pageStorage = new PageStorage(() => localStorage);
