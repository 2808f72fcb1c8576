import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { First, type Invitation } from './accounts/first.js';
import { requireStarted } from './stopped.js';
import { openBeside } from './store/open.js';
import { all } from './store/sql/queries.js';
import { refuseOtherUser } from './store/state-folder.js';

/**
 * Another one-time link for the first administrator, left where the hub looks, running or not: for who has
 * lost the one of the first start. Who may write the state folder is the hub's administrator already. Throws
 * `conflict` where there is an account, `not_found` where no hub was started on the folder.
 */
export async function makeFirstLink(folder: string, now: () => Date): Promise<Invitation> {
  await requireStarted(folder, 'make a link');
  await refuseOtherUser(resolve(folder), 'make a link in');
  if (await hasAccounts(folder))
    throw new AdbreakError(
      'conflict',
      'Cannot make a link for the first administrator: there is an account',
      {
        remedy:
          'An administrator makes accounts with `adbreak users add`; where nobody is one any more, `adbreak hub token` makes a token with the hub stopped.',
      },
    );
  return First.at(folder, now).invite();
}

async function hasAccounts(folder: string): Promise<boolean> {
  const database = await openBeside(resolve(folder));
  try {
    return (await database.rows(all('account'))).length > 0;
  } finally {
    await database.close();
  }
}
