import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { z } from 'zod';
import { RolloutLog } from '../rollouts/log/log.js';
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

const episodeRow = z.object({ digest: z.string(), body: z.string() });
const bins = z.object({ bins: z.array(z.number()) });
/** Episodes that the hours of the fleet hold, by model digest. */
export async function episodesOfHours(folder: string): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const row of await storedRows(folder, {
    sql: 'select digest, body from model_hour',
    parameters: [],
  })) {
    const { digest, body } = episodeRow.parse(row);
    const sum = bins.parse(JSON.parse(body)).bins.reduce((all, n) => all + n, 0);
    sums.set(digest, (sums.get(digest) ?? 0) + sum);
  }
  return sums;
}

/** Makes each sum of the rollups as large as one can be. The hub must be stopped. */
export async function fillSums(folder: string): Promise<void> {
  const full = (sums: unknown): unknown => {
    if (typeof sums === 'number') return Number.MAX_SAFE_INTEGER;
    return Array.isArray(sums) ? sums.map(full) : sums;
  };
  const row = z.object({ position: z.int(), body: z.string() });
  await beside(folder, async (database) => {
    for (const table of ['model_hour', 'model_day', 'labels'])
      for (const found of await database.rows({
        sql: `select position, body from ${table}`,
        parameters: [],
      })) {
        const { position, body } = row.parse(found);
        const sums = z.record(z.string(), z.unknown()).parse(JSON.parse(body));
        const filled = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, full(sum)]));
        const parameters = [JSON.stringify(filled), position];
        await database.transact([{ sql: `update ${table} set body = ? where position = ?`, parameters }]);
      }
  });
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
