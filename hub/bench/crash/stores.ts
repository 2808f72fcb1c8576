import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { SETTINGS_FILE } from '../../store/settings.js';
import { PostgresServer } from '../../testing/postgres.js';
import { storedState } from '../../testing/store.js';

/** The stores that this hub can be started with. */
const STORES = ['sqlite', 'postgres'] as const;
export type StoreName = (typeof STORES)[number];

/** Those that were asked for, by commas; all there are where nobody asked. One that is not there is an error, and no pass. */
export async function chosenStores(asked: string | undefined): Promise<readonly StoreName[]> {
  if (asked === undefined || asked.trim() === '') return STORES;
  return asked.split(',').map((name) => {
    const found = STORES.find((one) => one === name.trim());
    if (found !== undefined) return found;
    throw new AdbreakError(
      'input_invalid',
      `Cannot run on the store ${name}: this hub has ${STORES.join(' and ')}`,
    );
  });
}

/** Lets the hubs of a folder work on a store. The server of that, which may crash too; null where there is none. */
export async function place(store: StoreName, folder: string): Promise<PostgresServer | null> {
  if (store === 'sqlite') return null;
  const server = await PostgresServer.start();
  const settings = JSON.stringify({ store: await server.database() });
  await writeFile(join(folder, SETTINGS_FILE), settings, { mode: 0o600 });
  return server;
}

/** Episodes that the fleet's hours hold, by model digest. The hub must be stopped. */
export async function hoursOf(folder: string): Promise<Map<string, number>> {
  const { hours } = await storedState(folder);
  return new Map(Object.entries(hours).map(([digest, one]) => [digest, binsBelow(one)]));
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
