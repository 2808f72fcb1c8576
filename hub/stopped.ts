import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { refuseUnfinished } from './backup/exchange.js';
import { lockHub } from './store/lock.js';
import { openStore } from './store/open.js';
import { readSettings } from './store/settings.js';
import { neverStarted, prepareStateFolder, refuseOtherUser, wasStarted } from './store/state-folder.js';
import type { Store } from './store/store.js';

interface Work {
  /** As people say it after "Cannot". */
  readonly what: string;
  readonly now: () => Date;
  readonly log: (line: string) => void;
}

/**
 * Works on the memory of a hub that was started on this folder and is stopped; nobody else can start it
 * meanwhile. Throws `conflict` where one runs and `not_found` where none was started.
 */
export async function withStopped<T>(
  folder: string,
  { what, now, log }: Work,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  await refuseUnfinished(folder);
  const { store: url } = await readSettings(folder);
  if (url === undefined && (await neverStarted(folder))) throw notStarted(what, folder);
  await refuseOtherUser(resolve(folder), `${what} in`);
  await prepareStateFolder(folder, log);
  await using _ = await lockHub(folder);
  const store = await openStore(folder, now, { store: url, say: log });
  try {
    if (store.state.tokens.length === 0) throw notStarted(what, folder);
    return await work(store);
  } finally {
    await store.close();
  }
}

/**
 * Throws `not_found` where no hub was started on this folder: for who looks from beside one that may run.
 * `what` as people say it after "Cannot".
 */
export async function requireStarted(folder: string, what: string): Promise<void> {
  await refuseUnfinished(folder);
  const { store } = await readSettings(folder);
  if (!(await wasStarted(folder, store))) throw notStarted(what, folder);
}

function notStarted(what: string, folder: string): AdbreakError {
  return new AdbreakError('not_found', `Cannot ${what}: no hub has been started on ${resolve(folder)}`, {
    remedy: 'Give --state the folder of the hub; `adbreak hub start` makes a new one, and prints its token.',
  });
}
