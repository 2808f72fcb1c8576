import { COMMAND_ID } from '@adbreak/shared/contract/commands.js';
import {
  type DeviceCommand,
  type DeviceReply,
  deviceReply,
} from '@adbreak/shared/contract/device-commands.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';

/** Commands that are remembered. */
const KEPT = 100;
/** Of each a reply of 64 KB, and a little. */
const LIMIT = KEPT * 66 * 1024;

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
const notesSchema = z.array(noteSchema).max(KEPT);

/**
 * Which commands were begun, and what came of them: on the disk before anything is done, so that each is done at most
 * once, through whatever power cut. The last hundred.
 */
export class Notebook {
  readonly #path: string;
  readonly #changes = new SerialRunner();
  #notes: readonly Note[];

  private constructor(path: string, notes: readonly Note[]) {
    this.#path = path;
    this.#notes = notes;
  }

  static async open(path: string, log: (line: string) => void): Promise<Notebook> {
    try {
      return new Notebook(path, (await readJson(notesSchema, path, LIMIT)) ?? []);
    } catch (error) {
      await setAside(path, error, 'commands before are not known', (line) => log(`commands: ${line}`));
      return new Notebook(path, []);
    }
  }

  find(id: string): Note | undefined {
    return this.#notes.find((note) => note.id === id);
  }
  /** Begun, and not answered: under way, or given up by a program that ended. */
  get open(): readonly Note[] {
    return this.#notes.filter(({ reply }) => reply === null);
  }
  /** Answered, and not acknowledged by the hub. */
  get unsent(): readonly { readonly id: string; readonly reply: DeviceReply }[] {
    return this.#notes.flatMap(({ id, reply, acknowledged }) =>
      reply === null || acknowledged ? [] : [{ id, reply }],
    );
  }

  /** On the disk when it resolves; rejects where it is not, and then knows nothing of it. */
  begin(id: string, { command }: Pick<DeviceCommand, 'command'>, said: string): Promise<void> {
    const note: Note = { id, command, said, reply: null, acknowledged: false };
    return this.#write((notes) => [...notes, note].slice(-KEPT));
  }

  /** Known from now on, also where the disk takes it later or never. */
  async answer(id: string, reply: DeviceReply): Promise<void> {
    this.#notes = this.#notes.map((note) => (note.id === id ? { ...note, reply } : note));
    await this.#write((notes) => notes);
  }

  async acknowledge(id: string): Promise<void> {
    this.#notes = this.#notes.map((note) => (note.id === id ? { ...note, acknowledged: true } : note));
    await this.#write((notes) => notes);
  }

  #write(change: (notes: readonly Note[]) => readonly Note[]): Promise<void> {
    return this.#changes.run(async () => {
      await writeAtomic(this.#path, JSON.stringify(change(this.#notes)), { mode: 0o600 });
      // What was answered during the write stays.
      this.#notes = change(this.#notes);
    });
  }
}
