import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { refuseUnfinished } from './backup/exchange.js';
import { dateOf } from './monitoring/calendar.js';
import type { Rebuilt } from './monitoring/rollup-port.js';
import { lockHub } from './store/lock.js';
import { openStore } from './store/open.js';
import { readSettings } from './store/settings.js';
import { prepareStateFolder, wasStarted } from './store/state-folder.js';

/**
 * Computes the rollups of a hub that is stopped again, from the raw reports that it keeps. Stopped, because a running hub adds to
 * rows that it has in memory: a day that is read while reports of it come would lose them.
 */
export async function rebuildRollups(
  folder: string,
  now: () => Date,
  log: (line: string) => void,
): Promise<Rebuilt> {
  await refuseUnfinished(folder);
  const { store: url } = await readSettings(folder);
  if (!(await wasStarted(folder, url)))
    throw new AdbreakError(
      'not_found',
      `Cannot rebuild rollups: no hub has been started on ${resolve(folder)}`,
      {
        remedy: 'Give --state the folder of the hub.',
      },
    );
  await prepareStateFolder(folder, log);
  await using _ = await lockHub(folder);
  const store = await openStore(folder, now, { store: url, say: log });
  try {
    return await store.rollups.rebuild(now(), (day) => log(`${dateOf(day)} is done`));
  } finally {
    await store.close();
  }
}
