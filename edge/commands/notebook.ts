import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMAND_ID } from '@adbreak/shared/contract/commands.js';
import {
  type DeviceCommand,
  type DeviceReply,
  deviceReply,
} from '@adbreak/shared/contract/device-commands.js';
import { systemCode } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';

/** Commands that are remembered. */
const KEPT = 100;
/** A reply of 64 KB, and a little. */
const LIMIT = 66 * 1024;
/** In the order in which they were begun. */
const FILE = /^(\d{12})\.json$/;

const noteSchema = z.strictObject({
  id: z.string().regex(COMMAND_ID),
  command: z.string().max(40),
  /** SHA-256 of what was asked, without when it was sent. */
  said: z.string().regex(/^[0-9a-f]{64}$/),
  /** Null from when it is begun until it is done. */
  reply: deviceReply.nullable(),
  /** The hub has it. */
  acknowledged: z.boolean(),
});
export type Note = z.infer<typeof noteSchema>;

/**
 * Which commands were begun, and what came of them: on the disk before anything is done, so that each is done at most
 * once, through whatever power cut. The last hundred, a file each: a card wears out by what is written, and a
 * notebook of long replies has megabytes.
 */
export class Notebook {
  readonly #folder: string;
  readonly #changes = new SerialRunner();
  /** By their numbers, in order. */
  readonly #notes: Map<number, Note>;

  private constructor(folder: string, notes: Map<number, Note>) {
    this.#folder = folder;
    this.#notes = notes;
  }

  static async open(folder: string, log: (line: string) => void): Promise<Notebook> {
    const notes = new Map<number, Note>();
    const damaged = (path: string, error: unknown) =>
      setAside(path, error, 'what was begun by it is not known', (line) => log(`commands: ${line}`));
    for (const name of await namesIn(folder).catch((error: unknown) =>
      damaged(folder, error).then(() => []),
    )) {
      const number = FILE.exec(name)?.[1];
      const path = join(folder, name);
      if (number === undefined) continue;
      try {
        const note = await readJson(noteSchema, path, LIMIT);
        if (note !== undefined) notes.set(Number(number), note);
      } catch (error) {
        await damaged(path, error);
      }
    }
    return new Notebook(folder, notes);
  }

  find(id: string): Note | undefined {
    return this.#all.find((note) => note.id === id);
  }
  /** Begun, and not answered: under way, or given up by a program that ended. */
  get open(): readonly Note[] {
    return this.#all.filter(({ reply }) => reply === null);
  }
  /** Answered, and not acknowledged by the hub. */
  get unsent(): readonly { readonly id: string; readonly reply: DeviceReply }[] {
    return this.#all.flatMap(({ id, reply, acknowledged }) =>
      reply === null || acknowledged ? [] : [{ id, reply }],
    );
  }
  get #all(): readonly Note[] {
    return [...this.#notes.values()];
  }

  /** On the disk when it resolves; rejects where it is not, and then knows nothing of it. */
  begin(id: string, { command }: Pick<DeviceCommand, 'command'>, said: string): Promise<void> {
    return this.#changes.run(async () => {
      const number = Math.max(0, ...this.#notes.keys()) + 1;
      const note: Note = { id, command, said, reply: null, acknowledged: false };
      await this.#write(number, note);
      this.#notes.set(number, note);
      for (const oldest of [...this.#notes.keys()].slice(0, -KEPT)) {
        this.#notes.delete(oldest);
        await rm(this.#path(oldest), { force: true });
      }
    });
  }

  /** Known from now on, also where the disk takes it later or never. */
  answer(id: string, reply: DeviceReply): Promise<void> {
    return this.#change(id, { reply });
  }

  acknowledge(id: string): Promise<void> {
    return this.#change(id, { acknowledged: true });
  }

  async #change(id: string, change: Partial<Note>): Promise<void> {
    const [number, before] = [...this.#notes].find(([, note]) => note.id === id) ?? [];
    if (number === undefined || before === undefined) return;
    this.#notes.set(number, { ...before, ...change });
    await this.#changes.run(async () => {
      // As it is by now; nothing of one that was forgotten meanwhile.
      const note = this.#notes.get(number);
      if (note !== undefined) await this.#write(number, note);
    });
  }

  #write(number: number, note: Note): Promise<void> {
    return writeAtomic(this.#path(number), JSON.stringify(note), { mode: 0o600 });
  }
  #path(number: number): string {
    return join(this.#folder, `${String(number).padStart(12, '0')}.json`);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names.sort();
}
