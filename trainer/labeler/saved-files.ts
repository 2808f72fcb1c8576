import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';

const LIMIT = 64 * 1024 * 1024;
const digestsSchema = z.record(z.string().max(4096), z.string().max(64));

/** The files that saves have written, by their digests: one that was changed by hand since, or was there before, is not lost. */
export class SavedFiles {
  readonly #folder: string;
  readonly #digests: Map<string, string>;

  private constructor(folder: string, digests: Map<string, string>) {
    this.#folder = folder;
    this.#digests = digests;
  }

  static async open(folder: string): Promise<SavedFiles> {
    // Without its list every file counts as somebody else's: nothing is lost.
    const known = await readJson(digestsSchema, listOf(folder), LIMIT).catch(() => undefined);
    return new SavedFiles(folder, new Map(Object.entries(known ?? {})));
  }

  /** Replaces a file in one step; says where one of somebody else's was put. */
  async write(name: string, text: string): Promise<string[]> {
    const path = join(this.#folder, name);
    const said = await this.#putAside(name, path, text);
    await writeAtomic(path, text);
    this.#digests.set(name, sha256(text));
    return said;
  }

  /** Takes away what an earlier save wrote; says so, and where somebody has changed it since and it stays. */
  async remove(name: string): Promise<string[]> {
    const known = this.#digests.get(name);
    this.#digests.delete(name);
    const path = join(this.#folder, name);
    const there = known === undefined ? undefined : await readLimited(path, LIMIT);
    if (there === undefined) return [];
    if (sha256(there) !== known)
      return [`${name} stays, though no label of it stands: it was changed by hand`];
    await rm(path);
    return [`${name} is taken away: no label of it stands any more`];
  }

  async #putAside(name: string, path: string, text: string): Promise<string[]> {
    const there = await readLimited(path, LIMIT);
    if (there === undefined) return [];
    const digest = sha256(there);
    if (digest === this.#digests.get(name) || digest === sha256(text)) return [];
    const aside = await freeName(`${path}.before`);
    await rename(path, aside);
    return [`${name} was not written by a save: it is kept as ${aside}`];
  }

  async close(): Promise<void> {
    await writeAtomic(listOf(this.#folder), JSON.stringify(Object.fromEntries(this.#digests)));
  }
}

function listOf(folder: string): string {
  return join(folder, '.cache', 'saved.json');
}

async function freeName(path: string): Promise<string> {
  for (let i = 1; ; i++) {
    const name = i === 1 ? path : `${path}.${i}`;
    if (!(await exists(name))) return name;
  }
}
