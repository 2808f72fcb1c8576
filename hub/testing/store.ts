import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { RolloutLog } from '../rollouts/log.js';
import { DATABASE_FILE, load, openBeside } from '../store/open.js';
import type { Database } from '../store/sql/database.js';
import type { Statement } from '../store/sql/queries.js';
import { Sqlite } from '../store/sql/sqlite.js';
import type { HubState } from '../store/state.js';

/** Looks into a hub's database from beside it, as a backup or a curious person would; also while the hub runs. */
async function beside<T>(folder: string, use: (database: Database) => Promise<T>): Promise<T> {
  const database = await openBeside(folder);
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}

/** What the next start would find. */
export function storedState(folder: string): Promise<HubState> {
  return beside(
    folder,
    async (database) =>
      (
        await load(
          database,
          () => new Date(),
          () => undefined,
        )
      ).state,
  );
}

/** The audit log, a line an entry. */
export function auditLines(folder: string): Promise<string[]> {
  return beside(folder, async (database) => {
    const store = await load(
      database,
      () => new Date(),
      () => undefined,
    );
    const lines: string[] = [];
    for await (const { body } of store.audited()) lines.push(body);
    return lines;
  });
}

/** A rollout's log in a file, as `adbreak rollouts events ID > FILE` fetches it. */
export async function exportLog(folder: string, rollout: string): Promise<string> {
  const path = join(await temporaryFolder(), `${rollout}.jsonl`);
  await beside(folder, async (database) => {
    const store = await load(
      database,
      () => new Date(),
      () => undefined,
    );
    await writeFile(path, await new RolloutLog(store).lines(rollout));
  });
  return path;
}

export function storedRows(folder: string, statement: Statement): Promise<unknown[]> {
  return beside(folder, (database) => database.rows(statement));
}

export async function tamper(folder: string, sql: string): Promise<void> {
  await beside(folder, (database) => database.transact([{ sql, parameters: [] }]));
}

/** Another program holds the database: no write of the hub succeeds until it lets go. */
export async function holdDatabase(folder: string): Promise<() => Promise<void>> {
  const database = await Sqlite.open(join(folder, DATABASE_FILE));
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const begun = new Promise<void>((resolve, reject) => {
    async function* statements(): AsyncGenerator<Statement> {
      yield { sql: 'select 1', parameters: [] };
      resolve();
      await held;
    }
    database.transact(statements()).catch(reject);
  });
  await begun;
  return async () => {
    release();
    await new Promise((resolve) => setImmediate(resolve));
    await database.close();
  };
}
