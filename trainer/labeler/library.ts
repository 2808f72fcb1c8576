import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AdbreakError, explain, systemCode } from '@adbreak/shared/errors.js';
import { probeVideo, type VideoFacts } from '@adbreak/shared/video/probe.js';
import { byCodeUnits, VIDEO_ENDING } from '../dataset/scan.js';
import { identityOf } from './identity.js';

/** A recording below the video folder. */
export interface Recording {
  readonly id: string;
  /** Its path below the folder, with forward slashes; further names of the same bytes follow. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly path: string;
  /** Null of a file that cannot be read, or whose length is not known. */
  readonly facts: (VideoFacts & { readonly duration: number }) | null;
  readonly problem: string | null;
}

interface Known {
  /** Size and time of change: what is known of a file holds as long as they do. */
  readonly stamp: string;
  readonly recording: Omit<Recording, 'aliases'>;
  /** It has changed since the last look: what it will be is not known yet. */
  readonly isGrowing: boolean;
}

/**
 * The recordings below a folder. Hidden files and folders are none; links are followed to files within the folder alone, so
 * that nobody is served what lies outside of it.
 */
export class Library {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #known = new Map<string, Known>();
  readonly #outside = new Set<string>();
  #byId: ReadonlyMap<string, Recording> = new Map();

  constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  get recordings(): readonly Recording[] {
    return [...this.#byId.values()];
  }

  /** Throws `not_found`. */
  get(id: string): Recording {
    const found = this.#byId.get(id);
    if (found !== undefined) return found;
    throw new AdbreakError('not_found', `Cannot find a recording with the id ${id}`, {
      remedy: 'Look at the list again: the file may have been moved away.',
    });
  }

  /** Throws `not_found`, and `video_unreadable` for one that is damaged. */
  readable(id: string): Recording & { readonly facts: NonNullable<Recording['facts']> } {
    const { facts, ...recording } = this.get(id);
    if (facts !== null) return { ...recording, facts };
    throw new AdbreakError('video_unreadable', recording.problem ?? `Cannot read ${recording.name}`);
  }

  /** Length by id, of those that can be read. */
  durations(): ReadonlyMap<string, number> {
    return new Map(
      this.recordings.flatMap(({ id, facts }) => (facts === null ? [] : [[id, facts.duration]])),
    );
  }

  /** Looks again. Gives the recordings that are new or have changed; files of the same size and time are not opened. */
  async rescan(signal?: AbortSignal): Promise<readonly Recording[]> {
    const byId = new Map<string, Recording>();
    for (const name of await this.#names()) {
      signal?.throwIfAborted();
      const recording = await this.#look(name, signal);
      if (recording === null) continue;
      const same = byId.get(recording.id);
      byId.set(
        recording.id,
        same === undefined ? { ...recording, aliases: [] } : { ...same, aliases: [...same.aliases, name] },
      );
    }
    const before = this.#byId;
    this.#byId = byId;
    return [...byId.values()].filter((one) => JSON.stringify(before.get(one.id)) !== JSON.stringify(one));
  }

  async #names(): Promise<string[]> {
    const root = await realpath(this.#folder).catch((cause: unknown) => {
      throw new AdbreakError('not_found', `Cannot read ${this.#folder}: there is no such folder`, {
        cause,
        remedy: 'Name the folder that holds the recordings with --video-dir.',
      });
    });
    const names: string[] = [];
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const name = relative(root, join(entry.parentPath, entry.name)).split(sep).join('/');
      if (!VIDEO_ENDING.test(name) || name.split('/').some((part) => part.startsWith('.'))) continue;
      if (entry.isFile() || (entry.isSymbolicLink() && (await this.#isInside(root, name)))) names.push(name);
    }
    return names.sort(byCodeUnits);
  }

  async #isInside(root: string, name: string): Promise<boolean> {
    const real = await realpath(join(root, name)).catch(() => null);
    if (real?.startsWith(root + sep)) return (await stat(real)).isFile();
    if (!this.#outside.has(name))
      this.#say(`${name} is left out: it is a link that leads out of the folder, or nowhere`);
    this.#outside.add(name);
    return false;
  }

  async #look(name: string, signal?: AbortSignal): Promise<Known['recording'] | null> {
    const path = join(this.#folder, name);
    try {
      const { size, mtimeMs } = await stat(path);
      const stamp = `${size} ${mtimeMs}`;
      const known = this.#known.get(name);
      const isSame = known?.stamp === stamp;
      if (isSame && !known.isGrowing) return known.recording;
      const isGrowing = known !== undefined && !isSame;
      const recording = isGrowing
        ? { ...known.recording, facts: null, problem: 'it is still being written' }
        : { id: await identityOf(path), name, path, ...(await factsOf(path, signal)) };
      this.#known.set(name, { stamp, recording, isGrowing });
      return recording;
    } catch (error) {
      signal?.throwIfAborted();
      // Gone since the folder was read; what may not be read is said.
      if (systemCode(error) !== 'ENOENT') this.#say(`${name} is left out: ${explain(error)}`);
      return null;
    }
  }
}

async function factsOf(path: string, signal?: AbortSignal): Promise<Pick<Recording, 'facts' | 'problem'>> {
  try {
    const { duration, ...facts } = await probeVideo(path, signal);
    if (duration !== null) return { facts: { ...facts, duration }, problem: null };
    return { facts: null, problem: 'its length is not known: it is still being written, or cut off' };
  } catch (error) {
    signal?.throwIfAborted();
    return { facts: null, problem: explain(error) };
  }
}
