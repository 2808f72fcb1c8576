import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { readLimited, storageError, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { type Adapter, Low } from 'lowdb';
import { z } from 'zod';
import { EMPTY_STATE, type HubState, hubState, migrate } from './state.js';

const LIMIT = 256 * 1024 * 1024;

export interface AuditEntry {
  readonly who: string;
  readonly what: string;
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The port behind which the hub's state lives. A change is visible at once and durable when its promise resolves. */
export interface Store {
  readonly state: Readonly<HubState>;
  change(edit: (state: HubState) => void, audit?: AuditEntry): Promise<void>;
  close(): Promise<void>;
}

/** lowdb over one JSON file, written atomically; an append-only audit log beside it. */
export class LowdbStore implements Store {
  readonly #db: Low<HubState>;
  readonly #auditPath: string;
  readonly #now: () => Date;
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  private constructor(db: Low<HubState>, auditPath: string, now: () => Date) {
    this.#db = db;
    this.#auditPath = auditPath;
    this.#now = now;
  }

  static async open(folder: string, now: () => Date): Promise<LowdbStore> {
    const path = join(folder, 'hub.json');
    const adapter: Adapter<HubState> = {
      read: async () => {
        const bytes = await readLimited(path, LIMIT);
        if (bytes === undefined) return null;
        const migrated = migrate(parseJson(z.unknown(), bytes, LIMIT, path, 'state_corrupt'));
        if (migrated === null) return parseJson(hubState, bytes, LIMIT, path, 'state_corrupt');
        // The old file stays beside the new one: what was dropped can be read there.
        await writeAtomic(join(folder, 'hub.before.json'), bytes, { mode: 0o600 });
        return check(hubState, migrated, path, 'state_corrupt');
      },
      // lowdb's own adapter renames without fsync; a power cut may then leave an empty file.
      write: (state) => writeAtomic(path, JSON.stringify(state), { mode: 0o600 }),
    };
    const db = new Low(adapter, structuredClone(EMPTY_STATE));
    await db.read();
    return new LowdbStore(db, join(folder, 'audit.jsonl'), now);
  }

  get state(): Readonly<HubState> {
    return this.#db.data;
  }

  async change(edit: (state: HubState) => void, audit?: AuditEntry): Promise<void> {
    edit(this.#db.data);
    if (audit !== undefined) {
      await appendFile(this.#auditPath, `${JSON.stringify({ at: this.#now().toISOString(), ...audit })}\n`, { mode: 0o600 }).catch((cause: unknown) => {
        throw storageError(cause, this.#auditPath);
      });
    }
    await this.#flush();
  }

  /** One write runs, one waits: everybody who comes while a write runs shares the next one. */
  #flush(): Promise<void> {
    if (this.#writing === null) {
      this.#writing = this.#db.write().finally(() => {
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

  async close(): Promise<void> {
    await this.#writing;
    await this.#next;
  }
}
