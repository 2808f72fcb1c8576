import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import type { Part } from './steps.js';

/** A store that a hub can be started with, where this hub has it. */
interface StoreFacts {
  /** The module that holds it, beside the hub's others: its absence means that this hub has no such store. */
  readonly module: string;
  /** Parts in which such a hub passes steps. */
  readonly parts: readonly Part[];
  /** What a doomed hub wraps, by module and class. */
  readonly port?: readonly [module: string, name: string];
  readonly database?: readonly [module: string, name: string];
}
const ROWS = ['intake', 'broker', 'store', 'database'] as const;
const SQL_STORE = ['store/sql-store.js', 'SqlStore'] as const;

export const STORES = {
  /** One document and its logs, as hubs before 0.3 had them. */
  lowdb: { module: 'store/store.js', parts: ['intake', 'broker'] },
  sqlite: {
    module: 'store/sql/sqlite.js',
    parts: ROWS,
    port: SQL_STORE,
    database: ['store/sql/sqlite.js', 'Sqlite'],
  },
  postgres: {
    module: 'store/sql/postgres.js',
    parts: ROWS,
    port: SQL_STORE,
    database: ['store/sql/postgres.js', 'Postgres'],
  },
} as const satisfies Record<string, StoreFacts>;
export type StoreName = keyof typeof STORES;
export const storeFacts = (name: StoreName): StoreFacts => STORES[name];

/** A module of the hub's by its place: the harness runs on hubs that have it and on those that have not. */
export const hubModule = (place: string) => new URL(`../../${place}`, import.meta.url);
const isThere = (place: string) =>
  access(hubModule(place)).then(
    () => true,
    () => false,
  );

/** The stores that this hub has; a hub that keeps rows keeps no document. */
async function known(): Promise<StoreName[]> {
  const rows: StoreName[] = [];
  for (const name of ['sqlite', 'postgres'] as const) if (await isThere(STORES[name].module)) rows.push(name);
  return rows.length > 0 ? rows : ['lowdb'];
}

/** Those that were asked for, by commas; all there are where nobody asked. One that is not there is an error, and no pass. */
export async function chosenStores(asked: string | undefined): Promise<StoreName[]> {
  const there = await known();
  if (asked === undefined || asked.trim() === '') return there;
  return asked.split(',').map((name) => {
    const found = there.find((one) => one === name.trim());
    if (found !== undefined) return found;
    throw new AdbreakError(
      'input_invalid',
      `Cannot run on the store ${name}: this hub has ${there.join(' and ')}`,
    );
  });
}

const histograms = z.object({ hours: z.record(z.string(), z.unknown()) });
const reader = z.object({ storedState: z.function({ input: [z.string()], output: z.promise(z.unknown()) }) });

/** Episodes that the fleet's hours hold, by model digest. The hub must be stopped. */
export async function hoursOf(folder: string, store: StoreName): Promise<Map<string, number>> {
  const state =
    store === 'lowdb'
      ? JSON.parse(await readFile(join(folder, 'hub.json'), 'utf8'))
      : await reader.parse(await import(hubModule('testing/store.js').href)).storedState(folder);
  return new Map(
    Object.entries(histograms.parse(state).hours).map(([digest, hours]) => [digest, binsBelow(hours)]),
  );
}

function binsBelow(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [key, one]) => sum + (key === 'bins' ? total(one) : binsBelow(one)),
    0,
  );
}
const total = (bins: unknown) =>
  z
    .array(z.number())
    .parse(bins)
    .reduce((sum, n) => sum + n, 0);
