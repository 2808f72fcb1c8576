import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { brokenBy, type Head, NO_LINKS } from './chain.js';
import { DATABASE_FILE, openBeside, readHeads } from './open.js';
import { readSettings } from './settings.js';
import { AUDIT, linksOf } from './sql-store.js';

/** The audit log of a hub, running or not, a line an entry. Throws `state_corrupt` with the first one that was changed, deleted or inserted. */
export async function* auditLog(folder: string): AsyncGenerator<string> {
  const { store } = await readSettings(folder);
  if (store === undefined) await refuseMissing(join(resolve(folder), DATABASE_FILE));
  const database = await openBeside(resolve(folder));
  try {
    // What is written meanwhile comes after it.
    const newest = (await readHeads(database)).get(AUDIT) ?? NO_LINKS;
    let head: Head = NO_LINKS;
    for await (const one of linksOf(database, 'audit', {}, 0)) {
      const broken = brokenBy(head, one);
      if (broken !== null) throw damaged(database.name, `entry ${one.number} ${broken}`);
      head = one;
      yield one.body;
    }
    if (head.number < newest.number)
      throw damaged(database.name, `it ends at entry ${head.number}, and ${newest.number} were written`);
  } finally {
    await database.close();
  }
}

async function refuseMissing(path: string): Promise<void> {
  await stat(path).catch((cause: unknown) => {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    throw new AdbreakError('not_found', `Cannot read the audit log: there is no ${path}`, {
      remedy: 'Give --state the folder of the hub.',
    });
  });
}

function damaged(path: string, why: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot trust the audit log in ${path}: ${why}`, {
    remedy: 'Somebody has written to the database beside the hub: compare it with a backup.',
  });
}
