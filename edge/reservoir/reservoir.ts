import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';

/** Who said what an episode is: a person through the hub, a person at this device, a rule. */
export const SOURCES = ['operator', 'button', 'rule'] as const;
const head = z.strictObject({
  label: z.enum(['ad', 'content']),
  source: z.enum(SOURCES),
  at: instantSchema(),
  width: z.int().min(16).max(1024),
  height: z.int().min(16).max(1024),
  scaler: z.string().max(20),
  frames: z.int().min(1).max(16),
});
export type Kept = z.infer<typeof head> & { readonly id: string };

const HEAD_LIMIT = 1024;
const FILE_LIMIT = 64 * 1024 * 1024;
const NAME = /^(\d{13}-[0-9a-f]{8})\.episode$/;
const pack = promisify(deflate);
const unpack = promisify(inflate);

type Files = Map<string, { readonly kept: Kept; readonly bytes: number }>;
interface ReservoirLimits {
  readonly episodes: number;
  readonly bytes: number;
}

/**
 * Labelled episodes of this device, a few frames of each, on this device alone: what federated rounds run over. Bounded in
 * number and bytes; when full, an episode of the larger class makes room, drawn at random, so that old and new stay mixed.
 */
export class Reservoir {
  readonly #folder: string;
  readonly #limits: ReservoirLimits;
  readonly #uniform: () => number;
  readonly #kept: Files;

  private constructor(folder: string, limits: ReservoirLimits, uniform: () => number, kept: Files) {
    this.#folder = folder;
    this.#limits = limits;
    this.#uniform = uniform;
    this.#kept = kept;
  }

  /** Opens the folder; a damaged file is left out and said so. */
  static async open(
    folder: string,
    limits: ReservoirLimits,
    uniform: () => number,
    log: (line: string) => void,
  ): Promise<Reservoir> {
    await mkdir(folder, { recursive: true });
    const kept: Files = new Map();
    for (const name of (await readdir(folder)).sort()) {
      const id = NAME.exec(name)?.[1];
      if (id === undefined) continue;
      try {
        const bytes = await readFile(join(folder, name));
        kept.set(id, { kept: { ...headOf(bytes, name), id }, bytes: bytes.length });
      } catch (error) {
        log(`reservoir: ${join(folder, name)} is left out: ${explain(error)}`);
      }
    }
    return new Reservoir(folder, limits, uniform, kept);
  }

  get entries(): readonly Kept[] {
    return [...this.#kept.values()].map(({ kept }) => kept);
  }

  /** Keeps an episode's frames, RGB24 of width × height each. Throws `disk_full` where they do not fit. */
  async add(facts: Omit<Kept, 'id' | 'frames'>, frames: readonly Uint8Array[]): Promise<void> {
    if (frames.length === 0) return;
    const id = `${String(Date.parse(facts.at)).padStart(13, '0')}-${Math.floor(this.#uniform() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')}`;
    const kept: Kept = { ...facts, id, frames: frames.length };
    const body = await pack(Buffer.concat(frames), { level: 1 });
    const { id: _, ...stored } = kept;
    const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(stored)}\n`), body]);
    await writeAtomic(this.#path(id), bytes, { mode: 0o600 });
    this.#kept.set(id, { kept, bytes: bytes.length });
    await this.#bound();
  }

  /** The frames of an episode; null where it is kept no longer. Throws `state_corrupt` where the file is damaged. */
  async frames(kept: Kept): Promise<Uint8Array[] | null> {
    const bytes = this.#kept.has(kept.id) ? await readLimited(this.#path(kept.id), FILE_LIMIT) : undefined;
    if (bytes === undefined) return null;
    const facts = headOf(bytes, kept.id);
    const size = facts.width * facts.height * 3;
    const body = await unpack(bytes.subarray(bytes.indexOf(10) + 1), {
      maxOutputLength: size * facts.frames,
    }).catch((cause: unknown) => {
      throw new AdbreakError('state_corrupt', `Cannot read ${this.#path(kept.id)}: ${explain(cause)}`, {
        cause,
      });
    });
    if (body.length !== size * facts.frames)
      throw new AdbreakError(
        'state_corrupt',
        `Cannot read ${this.#path(kept.id)}: it holds ${body.length} bytes, ${size * facts.frames} are needed`,
      );
    return Array.from(
      { length: facts.frames },
      (_, i) => new Uint8Array(body.subarray(i * size, (i + 1) * size)),
    );
  }

  async #bound(): Promise<void> {
    const bytes = () => [...this.#kept.values()].reduce((sum, one) => sum + one.bytes, 0);
    while (this.#kept.size > this.#limits.episodes || (this.#kept.size > 1 && bytes() > this.#limits.bytes)) {
      const ads = this.entries.filter(({ label }) => label === 'ad');
      const contents = this.entries.filter(({ label }) => label === 'content');
      const larger = ads.length > contents.length ? ads : contents;
      const gone = larger[Math.floor(this.#uniform() * larger.length)];
      if (gone === undefined) return;
      this.#kept.delete(gone.id);
      await rm(this.#path(gone.id), { force: true });
    }
  }
  #path(id: string): string {
    return join(this.#folder, `${id}.episode`);
  }
}

function headOf(bytes: Uint8Array, name: string): z.infer<typeof head> {
  const end = bytes.subarray(0, HEAD_LIMIT).indexOf(10);
  if (end < 0) throw new AdbreakError('state_corrupt', `Cannot read ${name}: it has no head`);
  return parseJson(head, bytes.subarray(0, end), HEAD_LIMIT, `the head of ${name}`, 'state_corrupt');
}
