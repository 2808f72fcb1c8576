import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { brokenBy, type Head, type Link, NO_LINKS } from './chain.js';
import { openBeside, readHeads } from './open.js';
import { AUDIT, linksOf } from './sql-store.js';

/** The audit log of a hub, running or not, a line an entry. Throws as `auditLinks` does. */
export async function* auditLog(folder: string): AsyncGenerator<string> {
  for await (const { body } of auditLinks(folder)) yield body;
}

/** The same with what ties the entries together. Throws `state_corrupt` with the first one that was changed, deleted or inserted. */
export async function* auditLinks(folder: string): AsyncGenerator<Link> {
  const database = await openBeside(resolve(folder));
  try {
    // What is written meanwhile comes after it.
    const newest = (await readHeads(database)).get(AUDIT) ?? NO_LINKS;
    let head: Head = NO_LINKS;
    for await (const one of linksOf(database, 'audit', {}, 0)) {
      const broken = brokenBy(head, one);
      if (broken !== null) throw damaged(database.name, `entry ${one.number} ${broken}`);
      head = one;
      yield one;
    }
    if (head.number < newest.number)
      throw damaged(database.name, `it ends at entry ${head.number}, and ${newest.number} were written`);
  } finally {
    await database.close();
  }
}

function damaged(path: string, why: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot trust the audit log in ${path}: ${why}`, {
    remedy: 'Somebody has written to the database beside the hub: compare it with a backup.',
  });
}
