import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { explain, systemCode } from '@adbreak/shared/errors.js';

/**
 * Files that can be made again, by name below a folder, at most so many bytes of them: what was not used for longest goes
 * first. A full disk costs time, nothing else.
 */
export class DiskCache {
  readonly #folder: string;
  readonly #limit: number;
  readonly #say: (line: string) => void;
  /** Bytes by name, the one that was not used for longest first. */
  readonly #kept = new Map<string, number>();
  #bytes = 0;
  #unfinished = 0;

  private constructor(folder: string, limit: number, say: (line: string) => void) {
    this.#folder = folder;
    this.#limit = limit;
    this.#say = say;
  }

  /** Takes over what an earlier process kept; what it left unfinished goes. */
  static async open(folder: string, limit: number, say: (line: string) => void): Promise<DiskCache> {
    const cache = new DiskCache(folder, limit, say);
    await mkdir(folder, { recursive: true });
    const files: { name: string; bytes: number; time: number }[] = [];
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if (entry.name.endsWith('.part')) await rm(path, { force: true });
      else {
        const { size, mtimeMs } = await stat(path);
        files.push({ name: relative(folder, path).split(sep).join('/'), bytes: size, time: mtimeMs });
      }
    }
    for (const { name, bytes } of files.sort((a, b) => a.time - b.time)) cache.#count(name, bytes);
    await cache.#makeRoom();
    return cache;
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  /** A path for a file on its way into the cache, below it. */
  unfinished(): string {
    return join(this.#folder, `${process.pid}-${this.#unfinished++}.part`);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const bytes = this.#kept.get(name);
    if (bytes === undefined) return undefined;
    const data = await readFile(join(this.#folder, name)).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') this.#say(explain(error));
      return undefined;
    });
    this.#forget(name);
    // Somebody has taken it away, or the power went before it was on the disk.
    if (data?.length !== bytes) return undefined;
    this.#count(name, bytes);
    return data;
  }

  async put(name: string, data: Uint8Array): Promise<void> {
    const path = join(this.#folder, name);
    const unfinished = this.unfinished();
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(unfinished, data);
      await rename(unfinished, path);
      this.#forget(name);
      this.#count(name, data.length);
      await this.#makeRoom();
    } catch (error) {
      await rm(unfinished, { force: true });
      this.#say(`${name} is not kept: ${explain(error)}`);
    }
  }

  #count(name: string, bytes: number): void {
    this.#kept.set(name, bytes);
    this.#bytes += bytes;
  }

  #forget(name: string): void {
    this.#bytes -= this.#kept.get(name) ?? 0;
    this.#kept.delete(name);
  }

  async #makeRoom(): Promise<void> {
    for (const name of this.#kept.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.#forget(name);
      await rm(join(this.#folder, name), { force: true });
    }
  }
}
