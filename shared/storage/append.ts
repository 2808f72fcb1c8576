import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sizeOf, storageError, syncFolder } from './atomic.js';

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/**
 * A file of lines that only grows. What `append` has resolved for is on the disk; what it has rejected is cut away again, by the
 * next one where the disk would not even do that. One append at a time, by one writer: who calls waits for the last. What
 * somebody else adds to the file or takes from it between two appends stays so; an `append` that fails just then may cut it.
 */
export class AppendFile {
  readonly path: string;
  /** Bytes of an unfinished last line, of a process that was killed while it wrote: opening cut them off. */
  readonly cut: number;
  readonly #mode: number;
  #length: number;
  #exists: boolean;
  /** An append has failed, and so has cutting away what it left after `#length`. */
  #torn = false;

  private constructor(path: string, mode: number, length: number, cut: number, exists: boolean) {
    this.path = path;
    this.cut = cut;
    this.#mode = mode;
    this.#length = length;
    this.#exists = exists;
  }

  /** Opens the file and mends its end; it is made by the first append where it does not exist. */
  static async open(path: string, mode = 0o600): Promise<AppendFile> {
    const size = await sizeOf(path);
    if (size === undefined) return new AppendFile(path, mode, 0, 0, false);
    const file = await open(path, 'r+');
    try {
      let whole = size;
      const chunk = Buffer.alloc(CHUNK);
      // From the end, until a newline: what comes after it was not finished.
      while (whole > 0) {
        const from = Math.max(0, whole - CHUNK);
        const { bytesRead } = await file.read(chunk, 0, whole - from, from);
        const at = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
        whole = at < 0 ? from : from + at + 1;
        if (at >= 0) break;
      }
      if (whole < size) {
        await file.truncate(whole);
        await file.sync();
      }
      return new AppendFile(path, mode, whole, size - whole, true);
    } finally {
      await file.close();
    }
  }

  /** Bytes of whole lines. */
  get length(): number {
    return this.#length;
  }

  /** Adds whole lines and syncs them; the file's new length. */
  async append(lines: string): Promise<number> {
    const bytes = Buffer.from(lines);
    try {
      if (!this.#exists) await mkdir(dirname(this.path), { recursive: true });
      const file = await open(this.path, 'a', this.#mode);
      try {
        const { size } = await file.stat();
        if (this.#torn && size > this.#length) await file.truncate(this.#length);
        else this.#length = size;
        this.#torn = false;
        try {
          await file.appendFile(bytes);
          await file.datasync();
        } catch (error) {
          this.#torn = true;
          await file.truncate(this.#length);
          this.#torn = false;
          throw error;
        }
      } finally {
        await file.close();
      }
      if (!this.#exists) await syncFolder(dirname(this.path));
      this.#exists = true;
    } catch (cause) {
      throw storageError(cause, this.path);
    }
    this.#length += bytes.length;
    return this.#length;
  }
}
