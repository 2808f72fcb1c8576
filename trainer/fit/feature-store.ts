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
/** Rows of more bytes than this stay on disk: of thousands of pictures they are gigabytes. */
const HELD_BYTES = 16 * 1024;
const segmentFacts = z.strictObject({ rowBytes: z.int().positive(), rows: z.int().positive() });

/**
 * What a picture is known by: the beginning of the SHA-256 of its pixels, in hex. Two alike pictures are one.
 */
export function pictureKey(pixels: Uint8Array): string {
  return sha256(pixels).slice(0, 2 * KEY_BYTES);
}

/** A row itself, or where in which file it lies. */
type Place = Uint8Array | { readonly path: string; readonly at: number };

/**
 * One extractor's features of pictures, one row of `rowBytes` bytes by the picture's key. On disk they are
 * segments that are written once and never change: a run that ends at any moment leaves whole segments, and
 * the next one goes on behind them; two runs at a time share a folder. A damaged segment is removed, and its
 * rows are computed anew. Long rows are read again each time they are asked for.
 */
export class FeatureStore {
  readonly rowBytes: number;
  readonly #folder: string;
  readonly #rows = new Map<string, Place>();
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

  has(key: string): boolean {
    return this.#rows.has(key);
  }

  /** The row of a picture, at a multiple of four bytes. Throws `training_failed` where there is none. */
  get(key: string): Uint8Array {
    const row = this.#rows.get(key);
    if (row === undefined)
      throw new AdbreakError('training_failed', `Cannot train: the features of picture ${key} are missing`);
    return row instanceof Uint8Array ? row : readRow(row.path, row.at, this.rowBytes);
  }

  put(key: string, row: Uint8Array): void {
    if (row.byteLength !== this.rowBytes)
      throw new AdbreakError(
        'inference_failed',
        `Cannot keep features: a row must have ${this.rowBytes} bytes: current value is ${row.byteLength}`,
      );
    if (this.#rows.has(key)) return;
    this.#rows.set(key, row);
    this.#unsaved.set(key, row);
  }

  /** Makes what was put since the last time durable. Throws `disk_full`. */
  async save(): Promise<void> {
    const rows = this.#unsaved;
    if (rows.size === 0) return;
    this.#unsaved = new Map();
    const body = new Uint8Array(rows.size * (KEY_BYTES + this.rowBytes));
    [...rows].forEach(([key, row], i) => {
      body.set(Buffer.from(key, 'hex'), i * KEY_BYTES);
      body.set(row, rows.size * KEY_BYTES + i * this.rowBytes);
    });
    const facts: z.infer<typeof segmentFacts> = { rowBytes: this.rowBytes, rows: rows.size };
    const path = join(this.#folder, `${sha256(body).slice(0, 32)}.rows`);
    const at = await writeSealed(path, facts, body);
    if (this.rowBytes > HELD_BYTES) this.#leave([...rows.keys()], path, at);
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
    if (this.rowBytes > HELD_BYTES) return this.#leave(keys, path, at);
    // A copy: in the file the rows need not lie at a multiple of four.
    const rows = new Uint8Array(body.subarray(facts.rows * KEY_BYTES));
    keys.forEach((key, i) => {
      this.#rows.set(key, rows.subarray(i * this.rowBytes, (i + 1) * this.rowBytes));
    });
  }

  /** The rows of a segment whose body begins at `at` stay where they are. */
  #leave(keys: readonly string[], path: string, at: number): void {
    const first = at + keys.length * KEY_BYTES;
    keys.forEach((key, i) => {
      this.#rows.set(key, { path, at: first + i * this.rowBytes });
    });
  }
}

function readRow(path: string, at: number, length: number): Uint8Array {
  const row = new Uint8Array(length);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, row, 0, length, at) === length) return row;
  } finally {
    closeSync(file);
  }
  throw new AdbreakError('state_corrupt', `Cannot train: ${path} was changed while it was used`, {
    remedy: 'Start again: what the cache lacks is computed anew.',
  });
}
