import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SETTINGS_FILE } from '@adbreak/hub/store/settings.js';
import { PostgresServer } from '@adbreak/hub/testing/postgres.js';
import { AdbreakError } from '@adbreak/shared/errors.js';

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
