import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { refuseUnfinished } from './backup/exchange.js';
import { newToken } from './identity/secrets.js';
import { lockHub } from './store/lock.js';
import { openStore } from './store/open.js';
import { readSettings } from './store/settings.js';
import { neverStarted, prepareStateFolder } from './store/state-folder.js';

/**
 * A new administrator token, written into the state of a hub that is stopped: for who has lost the one of the first start.
 * Who may write the state folder is the hub's administrator already.
 */
export async function makeAdminToken(
  folder: string,
  now: () => Date,
  log: (line: string) => void,
): Promise<{ id: string; token: string }> {
  await refuseUnfinished(folder);
  const { store: url } = await readSettings(folder);
  if (url === undefined && (await neverStarted(folder))) throw notStarted(folder);
  await prepareStateFolder(folder, log);
  await using _ = await lockHub(folder);
  const store = await openStore(folder, now, { store: url, say: log });
  if (store.state.tokens.length === 0) {
    await store.close();
    throw notStarted(folder);
  }
  const id = `admin-${randomBytes(3).toString('hex')}`;
  const { secret, row } = newToken(id, 'admin', now());
  await store.change((state) => void state.tokens.push(row), {
    who: 'hub',
    what: 'token.create',
    subject: id,
    after: { role: 'admin' },
  });
  await store.close();
  return { id, token: secret };
}

function notStarted(folder: string): AdbreakError {
  return new AdbreakError('not_found', `Cannot make a token: no hub has been started on ${resolve(folder)}`, {
    remedy: 'Give --state the folder of the hub; `adbreak hub start` makes a new one, and prints its token.',
  });
}
