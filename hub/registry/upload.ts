import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_LIMIT } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';

/** A model's file that has come whole, and is nobody's yet: disposed of, it is gone, unless it was moved away. */
export interface Upload extends AsyncDisposable {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of it. */
  readonly digest: string;
}

/** Where models lie while they come. */
export class Uploads {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Removes what a hub that was killed has left there: all that was last written before then, milliseconds. */
  async tidy(before: number): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if ((await stat(path)).mtimeMs < before) await rm(path, { force: true });
    }
  }

  /**
   * Writes what comes as it comes; it is on the disk when this resolves. Throws `input_too_large` and
   * `disk_full`; what the source throws is thrown as it is. Nothing is left of what did not come whole.
   */
  async receive(source: AsyncIterable<Uint8Array>, limit = MODEL_LIMIT): Promise<Upload> {
    const path = join(this.#folder, randomUUID());
    const remove = () => rm(path, { force: true });
    try {
      await mkdir(this.#folder, { recursive: true });
      return { path, ...(await write(path, source, limit)), [Symbol.asyncDispose]: remove };
    } catch (error) {
      await remove();
      throw storageError(error, path);
    }
  }
}

async function write(
  path: string,
  source: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Pick<Upload, 'bytes' | 'digest'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx', 0o644);
  try {
    for await (const part of source) {
      bytes += part.byteLength;
      if (bytes > limit)
        throw new AdbreakError('input_too_large', `Cannot take the model: it has more than ${limit} bytes`);
      hash.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, digest: hash.digest('hex') };
}
