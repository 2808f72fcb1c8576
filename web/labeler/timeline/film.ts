/** Pictures of the filmstrip: few are asked for at a time, those in view first; what is not wanted any more is let go. */
const AT_ONCE = 2;
const KEPT = 600;

export class Film {
  readonly #pictures = new Map<string, ImageBitmap>();
  readonly #asked = new Map<string, AbortController>();
  readonly #failed = new Set<string>();
  #wanted: readonly string[] = [];

  readonly #onPicture: () => void;

  constructor(onPicture: () => void) {
    this.#onPicture = onPicture;
  }

  /** By address; null until it is here. */
  get(address: string): ImageBitmap | null {
    return this.#pictures.get(address) ?? null;
  }

  want(addresses: readonly string[]): void {
    this.#wanted = addresses;
    for (const [address, abort] of this.#asked) if (!addresses.includes(address)) abort.abort();
    this.#ask();
  }

  #ask(): void {
    const missing = this.#wanted.filter(
      (each) => !this.#pictures.has(each) && !this.#asked.has(each) && !this.#failed.has(each),
    );
    for (const address of missing.slice(0, AT_ONCE - this.#asked.size)) void this.#load(address);
  }

  async #load(address: string): Promise<void> {
    const abort = new AbortController();
    this.#asked.set(address, abort);
    try {
      const answer = await fetch(address, { signal: abort.signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.#pictures.set(address, await createImageBitmap(await answer.blob()));
      this.#forget();
      this.#onPicture();
    } catch {
      // A strip with a hole is better than a page that complains of each picture; the lane says nothing is there.
      if (!abort.signal.aborted) this.#failed.add(address);
    }
    this.#asked.delete(address);
    this.#ask();
  }

  #forget(): void {
    for (const [address, picture] of this.#pictures) {
      if (this.#pictures.size <= KEPT) return;
      if (this.#wanted.includes(address)) continue;
      picture.close();
      this.#pictures.delete(address);
    }
  }
}
