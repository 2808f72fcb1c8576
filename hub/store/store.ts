import { join } from 'node:path';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { AppendFile } from '@adbreak/shared/storage/append.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { type Adapter, Low } from 'lowdb';
import { z } from 'zod';
import { emptyState, type HubState, hubState, migrate, ownNames } from './state.js';

const LIMIT = 256 * 1024 * 1024;

export interface AuditEntry {
  readonly who: string;
  readonly what: string;
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * The port behind which the hub's state lives. Every write holds all of it, so memory is never behind the disk: after a
 * failed write it is ahead, and nobody is told that something is kept until a later write has succeeded. Who finds that a
 * thing is done already (a duplicate) waits for `durable` before saying so.
 */
export interface Store {
  readonly state: Readonly<HubState>;
  /** Visible at once, on disk with the next write: for what follows from a log that is on disk already. */
  edit(edit: (state: HubState) => void): void;
  /** Visible at once, on disk when the promise resolves, its line of the audit log before it. */
  change(edit: (state: HubState) => void, audit?: AuditEntry): Promise<void>;
  /** Resolves when all that is visible now is on disk. */
  durable(): Promise<void>;
  close(): Promise<void>;
}

/** lowdb over one JSON file, written atomically; an append-only audit log beside it. */
export class LowdbStore implements Store {
  readonly #db: Low<HubState>;
  readonly #now: () => Date;
  /** Lines that wait for the next write. */
  readonly #audit: string[];
  /** Changes made, and the last one that is on disk. */
  #made = 0;
  #written = 0;
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  private constructor(db: Low<HubState>, audit: string[], now: () => Date) {
    this.#db = db;
    this.#audit = audit;
    this.#now = now;
  }

  /** @param say hears of a torn audit log that was mended */
  static async open(folder: string, now: () => Date, say: (line: string) => void = () => undefined, limit = LIMIT): Promise<LowdbStore> {
    const path = join(folder, 'hub.json');
    const auditFile = await AppendFile.open(join(folder, 'audit.jsonl'));
    if (auditFile.cut > 0) say(`${auditFile.path}: its last line was not finished; ${auditFile.cut} bytes are cut off`);
    const audit: string[] = [];
    const adapter: Adapter<HubState> = {
      read: async () => {
        const bytes = await readLimited(path, limit);
        if (bytes === undefined) return null;
        const migrated = migrate(parseJson(z.unknown(), bytes, limit, path, 'state_corrupt'));
        if (migrated === null) return ownNames(parseJson(hubState, bytes, limit, path, 'state_corrupt'));
        // The old file stays beside the new one: what was dropped can be read there.
        await writeAtomic(join(folder, 'hub.before.json'), bytes, { mode: 0o600 });
        return ownNames(check(hubState, migrated, path, 'state_corrupt'));
      },
      // lowdb's own adapter renames without fsync; a power cut may then leave an empty file.
      write: async (state) => {
        const text = JSON.stringify(state);
        const bytes = Buffer.byteLength(text);
        // What could not be read back at the next start is not written: the file stays as it is, and nobody is told that more is kept.
        if (bytes > limit) throw new AdbreakError('input_too_large', `Cannot write ${path}: the state has ${bytes} bytes, at most ${limit}`);
        // A change may lack from the state, but never from the audit log: its lines come first, and wait on after a failure.
        const lines = audit.length;
        if (lines > 0) await auditFile.append(audit.slice(0, lines).join(''));
        audit.splice(0, lines);
        await writeAtomic(path, text, { mode: 0o600 });
      },
    };
    const db = new Low(adapter, emptyState());
    await db.read();
    return new LowdbStore(db, audit, now);
  }

  get state(): Readonly<HubState> {
    return this.#db.data;
  }

  edit(edit: (state: HubState) => void): void {
    edit(this.#db.data);
    this.#made += 1;
  }

  async change(edit: (state: HubState) => void, audit?: AuditEntry): Promise<void> {
    this.edit(edit);
    if (audit !== undefined) this.#audit.push(`${JSON.stringify({ at: this.#now().toISOString(), ...audit })}\n`);
    await this.#flush();
  }

  async durable(): Promise<void> {
    if (this.#written < this.#made) await this.#flush();
  }

  /** One write runs, one waits: everybody who comes while a write runs shares the next one. */
  #flush(): Promise<void> {
    if (this.#writing === null) {
      this.#writing = this.#write().finally(() => {
        this.#writing = null;
      });
      return this.#writing;
    }
    const running = this.#writing;
    this.#next ??= running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#flush();
      });
    return this.#next;
  }

  async #write(): Promise<void> {
    const made = this.#made;
    await this.#db.write();
    this.#written = made;
  }

  async close(): Promise<void> {
    await this.durable();
  }
}
