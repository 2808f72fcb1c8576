import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { readSealed, writeSealed } from './sealed.js';

/** Bytes of a picture's key. */
const KEY_BYTES = 16;
const SEGMENT = /\.rows$/;
const segmentFacts = z.strictObject({ rowBytes: z.int().positive(), rows: z.int().positive() });

/**
 * What a picture is known by: the beginning of the SHA-256 of its pixels, in hex. Two alike pictures are one.
 */
export function pictureKey(pixels: Uint8Array): string {
  return sha256(pixels).slice(0, 2 * KEY_BYTES);
}

/** Where in which file a row lies. */
interface Place {
  readonly path: string;
  readonly at: number;
}

/**
 * One extractor's features of pictures, one row of `rowBytes` bytes by the picture's key. On disk they are
 * segments that are written once and never change: a run that ends at any moment leaves whole segments, and
 * the next one goes on behind them; two runs at a time share a folder. A damaged segment is removed, and its
 * rows are computed anew. Rows that are on disk stay there until they are asked for: a folder holds those of
 * every data set that ever was.
 */
export class FeatureStore {
  readonly rowBytes: number;
  readonly #folder: string;
  readonly #places = new Map<string, Place>();
  #unsaved = new Map<string, Uint8Array>();

  private constructor(folder: string, rowBytes: number) {
    this.#folder = folder;
    this.rowBytes = rowBytes;
  }

  static async open(folder: string, rowBytes: number): Promise<FeatureStore> {
    const store = new FeatureStore(folder, rowBytes);
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    for (const name of names.filter((file) => SEGMENT.test(file)).sort())
      await store.#load(join(folder, name));
    return store;
  }

  /** Of rows that `save` would write. */
  get unsavedBytes(): number {
    return this.#unsaved.size * this.rowBytes;
  }

  has(key: string): boolean {
    return this.#unsaved.has(key) || this.#places.has(key);
  }

  /** The row of a picture, at a multiple of four bytes. Throws `training_failed` where there is none. */
  get(key: string): Uint8Array {
    return this.rowsOf([key]);
  }

  /** The rows of pictures, one after another. Throws `training_failed` where there is none of one. */
  rowsOf(keys: readonly string[]): Uint8Array<ArrayBuffer> {
    const rows = new Uint8Array(keys.length * this.rowBytes);
    using segments = new Segments();
    keys.forEach((key, i) => {
      const row = rows.subarray(i * this.rowBytes, (i + 1) * this.rowBytes);
      const [unsaved, place] = [this.#unsaved.get(key), this.#places.get(key)];
      if (unsaved !== undefined) row.set(unsaved);
      else if (place !== undefined) segments.read(place, row);
      else
        throw new AdbreakError('training_failed', `Cannot train: the features of picture ${key} are missing`);
    });
    return rows;
  }

  put(key: string, row: Uint8Array): void {
    if (row.byteLength !== this.rowBytes)
      throw new AdbreakError(
        'inference_failed',
        `Cannot keep features: a row must have ${this.rowBytes} bytes: current value is ${row.byteLength}`,
      );
    if (!this.has(key)) this.#unsaved.set(key, row);
  }

  /** Makes what was put since the last time durable. Throws `disk_full`. */
  async save(): Promise<void> {
    const rows = [...this.#unsaved];
    if (rows.length === 0) return;
    const body = new Uint8Array(rows.length * (KEY_BYTES + this.rowBytes));
    rows.forEach(([key, row], i) => {
      body.set(Buffer.from(key, 'hex'), i * KEY_BYTES);
      body.set(row, rows.length * KEY_BYTES + i * this.rowBytes);
    });
    const facts: z.infer<typeof segmentFacts> = { rowBytes: this.rowBytes, rows: rows.length };
    const path = join(this.#folder, `${sha256(body).slice(0, 32)}.rows`);
    const at = await writeSealed(path, facts, body);
    const keys = rows.map(([key]) => key);
    this.#found(keys, path, at);
    // What was put meanwhile is of the next segment.
    for (const key of keys) this.#unsaved.delete(key);
  }

  async #load(path: string): Promise<void> {
    const segment = await readSealed(path, segmentFacts);
    if (segment === 'missing') return;
    const whole =
      segment !== 'damaged' &&
      segment.facts.rowBytes === this.rowBytes &&
      segment.body.byteLength === segment.facts.rows * (KEY_BYTES + this.rowBytes);
    if (!whole) return rm(path, { force: true });
    const { facts, body, at } = segment;
    const keys = Array.from({ length: facts.rows }, (_, i) =>
      Buffer.from(body.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)).toString('hex'),
    );
    this.#found(keys, path, at);
  }

  /** The rows of a segment whose body begins at `at`. */
  #found(keys: readonly string[], path: string, at: number): void {
    const first = at + keys.length * KEY_BYTES;
    keys.forEach((key, i) => {
      this.#places.set(key, { path, at: first + i * this.rowBytes });
    });
  }
}

/** Reads rows; the segment of the last one stays open, as the next one mostly lies in it. */
class Segments implements Disposable {
  #open: { readonly path: string; readonly file: number } | null = null;

  /** Fills `row`. Throws `state_corrupt` where the segment is gone or shorter than it was. */
  read({ path, at }: Place, row: Uint8Array): void {
    if (readSync(this.#fileAt(path), row, 0, row.byteLength, at) !== row.byteLength) throw changed(path);
  }

  #fileAt(path: string): number {
    if (this.#open?.path === path) return this.#open.file;
    this[Symbol.dispose]();
    try {
      this.#open = { path, file: openSync(path, 'r') };
    } catch (cause) {
      throw systemCode(cause) === 'ENOENT' ? changed(path) : cause;
    }
    return this.#open.file;
  }

  [Symbol.dispose](): void {
    if (this.#open !== null) closeSync(this.#open.file);
    this.#open = null;
  }
}

function changed(path: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot train: ${path} was changed while it was used`, {
    remedy: 'Start again: what the cache lacks is computed anew.',
  });
}
