import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { bytesOf, floatsOf, readSealed, writeSealed } from './sealed.js';

/** Bytes of a picture's key. */
const KEY_BYTES = 16;
const SEGMENT = /\.rows$/;
const segmentFacts = z.strictObject({ width: z.int().positive(), rows: z.int().positive() });

/**
 * What a picture is known by: the beginning of the SHA-256 of its pixels, in hex. Two alike pictures are one.
 */
export function pictureKey(pixels: Uint8Array): string {
  return sha256(pixels).slice(0, 2 * KEY_BYTES);
}

/**
 * One extractor's features of pictures, one row of `width` numbers by the picture's key. On disk they are
 * segments that are written once and never change: a run that ends at any moment leaves whole segments, and
 * the next one goes on behind them; two runs at a time share a folder. A damaged segment is removed, and its
 * rows are computed anew.
 */
export class FeatureStore {
  readonly width: number;
  readonly #folder: string;
  readonly #rows = new Map<string, Float32Array>();
  #unsaved: string[] = [];

  private constructor(folder: string, width: number) {
    this.#folder = folder;
    this.width = width;
  }

  static async open(folder: string, width: number): Promise<FeatureStore> {
    const store = new FeatureStore(folder, width);
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

  get(key: string): Float32Array {
    const row = this.#rows.get(key);
    if (row === undefined)
      throw new AdbreakError('training_failed', `Cannot train: the features of picture ${key} are missing`);
    return row;
  }

  put(key: string, row: Float32Array): void {
    if (row.length !== this.width)
      throw new AdbreakError(
        'inference_failed',
        `Cannot keep features: a row must have ${this.width} numbers: current value is ${row.length}`,
      );
    if (this.#rows.has(key)) return;
    this.#rows.set(key, row);
    this.#unsaved.push(key);
  }

  /** Makes what was put since the last time durable. Throws `disk_full`. */
  async save(): Promise<void> {
    const keys = this.#unsaved;
    if (keys.length === 0) return;
    this.#unsaved = [];
    const body = new Uint8Array(keys.length * (KEY_BYTES + 4 * this.width));
    keys.forEach((key, i) => {
      body.set(Buffer.from(key, 'hex'), i * KEY_BYTES);
      body.set(bytesOf(this.get(key)), keys.length * KEY_BYTES + i * 4 * this.width);
    });
    const facts: z.infer<typeof segmentFacts> = { width: this.width, rows: keys.length };
    await writeSealed(join(this.#folder, `${sha256(body).slice(0, 32)}.rows`), facts, body);
  }

  async #load(path: string): Promise<void> {
    const segment = await readSealed(path, segmentFacts);
    if (segment === 'missing') return;
    const rowBytes = 4 * this.width;
    const whole =
      segment !== 'damaged' &&
      segment.facts.width === this.width &&
      segment.body.byteLength === segment.facts.rows * (KEY_BYTES + rowBytes);
    if (!whole) return rm(path, { force: true });
    const { facts, body } = segment;
    const numbers = floatsOf(body, facts.rows * KEY_BYTES);
    for (let i = 0; i < facts.rows; i++) {
      const key = Buffer.from(body.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)).toString('hex');
      this.#rows.set(key, numbers.subarray(i * this.width, (i + 1) * this.width));
    }
  }
}
