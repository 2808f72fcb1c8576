import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';

/** Bytes of cached features that are kept between jobs. */
const CACHE_LIMIT = 4 * 2 ** 30;
const LOG_LIMIT = 4 * 2 ** 20;
const MIB = 2 ** 20;

/** What a training left: its manifest, byte for byte, and the model's file. */
export interface Made {
  readonly manifest: Manifest;
  readonly text: Uint8Array;
  readonly model: () => AsyncIterable<Uint8Array>;
}

/** Where trainings work, in the hub's folder: `jobs/ID/` each, and the features that they share. */
export class TrainingFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  get cache(): string {
    return join(this.#root, 'cache');
  }
  of(id: string): string {
    return join(this.#root, 'jobs', id);
  }
  output(id: string): string {
    return join(this.of(id), 'output');
  }

  /** The configuration as a file; its path. Throws `disk_full`. */
  async prepare(id: string, configuration: string): Promise<string> {
    const path = join(this.of(id), 'configuration.yaml');
    await mkdir(this.cache, { recursive: true });
    await writeAtomic(path, configuration);
    return path;
  }

  /** What a run has made; null where it has made nothing. Throws `input_invalid` where its manifest is none. */
  async made(id: string): Promise<Made | null> {
    const path = join(this.output(id), 'manifest.json');
    const text = await readLimited(path, MANIFEST_LIMIT);
    if (text === undefined) return null;
    const model = join(this.output(id), 'model.tflite');
    return {
      manifest: parseJson(manifest, text, MANIFEST_LIMIT, path),
      text,
      model: () => createReadStream(model),
    };
  }

  async writeLog(id: string, lines: readonly string[]): Promise<void> {
    await writeAtomic(join(this.of(id), 'log.txt'), lines.map((line) => `${line}\n`).join(''));
  }

  async readLog(id: string): Promise<string[]> {
    const bytes = await readLimited(join(this.of(id), 'log.txt'), LOG_LIMIT);
    return bytes === undefined ? [] : Buffer.from(bytes).toString().split('\n').slice(0, -1);
  }

  async forget(id: string): Promise<void> {
    await rm(this.of(id), { recursive: true, force: true });
  }

  /** Removes the folders of jobs that nobody knows any more. */
  async tidy(isKnown: (id: string) => boolean): Promise<void> {
    await mkdir(join(this.#root, 'jobs'), { recursive: true });
    for (const id of await readdir(join(this.#root, 'jobs'))) if (!isKnown(id)) await this.forget(id);
  }

  /** Removes the features that were longest not used, beyond what is kept: they are computed again where they are wanted. */
  async pruneCache(limit = CACHE_LIMIT): Promise<void> {
    await mkdir(this.cache, { recursive: true });
    const entries = await readdir(this.cache, { recursive: true, withFileTypes: true });
    const files = await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map(async (entry) => {
          const path = join(entry.parentPath, entry.name);
          const { size, mtimeMs } = await stat(path);
          return { path, size, mtimeMs };
        }),
    );
    let kept = 0;
    for (const { path, size } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      kept += size;
      if (kept > limit) await rm(path, { force: true });
    }
  }

  /** Throws `disk_full` where less than that is free on the volume: the hub's own memory lies there too. */
  async refuseFull(keepMiB: number): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    const { bavail, bsize } = await statfs(this.#root);
    const free = Math.floor((bavail * bsize) / MIB);
    if (free >= keepMiB) return;
    throw new AdbreakError(
      'disk_full',
      `Cannot train in ${this.#root}: ${free} MiB are free, and ${keepMiB} are the hub's own`,
      {
        remedy: 'Free space on the volume named; `training.keepFreeMiB` in settings.json is what stays free.',
      },
    );
  }
}
