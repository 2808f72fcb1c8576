import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { exists, storageError, syncFile, syncFolder } from '@adbreak/shared/storage/atomic.js';
import { createTarPacker, type TarPackController } from 'modern-tar';
import { type Entry, MANIFEST } from './format.js';

/** Whoever reads a backup can pretend to be the hub. */
const OWNERS_ALONE = 0o600;

/** A backup under its name is whole: it is written beside it, synced, and renamed last. */
export class ArchiveWriter {
  readonly #path: string;
  readonly #part: string;
  readonly #packer: TarPackController;
  readonly #written: Promise<void>;
  readonly #signal: AbortSignal;
  readonly #entries: Entry[] = [];

  private constructor(path: string, part: string, signal: AbortSignal) {
    this.#path = path;
    this.#part = part;
    this.#signal = signal;
    const { readable, controller } = createTarPacker();
    this.#packer = controller;
    this.#written = pipeline(Readable.fromWeb(readable), createGzip(), createWriteStream(part), { signal });
    // What ends it ends the packer too, and whoever writes to that hears it.
    this.#written.catch(() => undefined);
  }

  /** Throws `conflict` where there is such a file already: a backup is never written over. */
  static async open(path: string, signal: AbortSignal): Promise<ArchiveWriter> {
    if (await exists(path))
      throw new AdbreakError('conflict', `Cannot write the backup ${path}: there is such a file already`, {
        remedy: 'Give it another name, such as one with the date.',
      });
    const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    const file = await open(part, 'w', OWNERS_ALONE).catch((cause: unknown) => {
      throw new AdbreakError('input_invalid', `Cannot write the backup ${path}`, {
        cause,
        remedy: 'Name a file in a folder that is there and that this user may write.',
      });
    });
    await file.close();
    return new ArchiveWriter(path, part, signal);
  }

  /** An entry whose length is known before. */
  async add(
    name: string,
    bytes: number,
    body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<Entry> {
    const hash = createHash('sha256');
    await this.#write(async () => {
      const writer = this.#packer.add({ name, size: bytes, mode: OWNERS_ALONE }).getWriter();
      for await (const chunk of body) {
        this.#signal.throwIfAborted();
        hash.update(chunk);
        await writer.write(chunk);
      }
      await writer.close();
    });
    const entry = { name, bytes, sha256: hash.digest('hex') };
    this.#entries.push(entry);
    return entry;
  }

  /** Writes the manifest, syncs, and gives the file its name; its length in bytes. */
  async finish(): Promise<number> {
    const manifest = Buffer.from(JSON.stringify({ entries: this.#entries }));
    await this.add(MANIFEST, manifest.length, [manifest]);
    await this.#write(async () => {
      this.#packer.finalize();
      await this.#written;
      await syncFile(this.#part);
    });
    const { size } = await stat(this.#part);
    this.#signal.throwIfAborted();
    await rename(this.#part, this.#path);
    await syncFolder(dirname(this.#path));
    return size;
  }

  /** Leaves nothing of a backup that is not finished. */
  async discard(): Promise<void> {
    this.#packer.error(new Error('the backup was given up'));
    // Why it was given up is told already.
    await this.#written.catch(() => undefined);
    await rm(this.#part, { force: true });
  }

  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw storageError(error, this.#path);
    }
  }
}
