import { access, constants, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { isOfRestore, isUnfinished } from '../backup/exchange.js';
import { LOCK_FILE } from './lock.js';
import { DATABASE_FILE } from './open.js';
import { SETTINGS_FILE } from './settings.js';

/** What a hub leaves in its folder. Where its state is not yet written, anything else says that the folder is another's. */
const STATE = DATABASE_FILE;
/** As hubs before 0.3 left it: taken over at the next start, and kept under these names. */
const DOCUMENT = 'hub.json';
const AUDIT = 'audit.jsonl';
const BEFORE = ['hub.before.json', 'hub.json.before', 'audit.jsonl.before', 'rollouts.before'];
const DATABASE = [DATABASE_FILE, `${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`, `${DATABASE_FILE}-journal`];
const BEGUN = 'hub.begun';
/** What a first start without a terminal leaves for who administers the hub; hub/accounts/first.ts. */
export const FIRST_FILE = 'first-administrator.txt';
const OWN = new Set([
  ...DATABASE,
  BEGUN,
  FIRST_FILE,
  SETTINGS_FILE,
  LOCK_FILE,
  DOCUMENT,
  'hub.0.1.0.json',
  ...BEFORE,
  AUDIT,
  'identity',
  'registry',
  'rollouts',
  'training',
  '.gitignore',
]);
/** Files whose reader could pretend to be the hub, or a fleet's authority. */
const SECRETS = [
  'identity/ca.key',
  ...['root', 'targets', 'snapshot', 'timestamp'].flatMap((role) => [
    `registry/keys/${role}.key`,
    `registry/keys/${role}.next.key`,
  ]),
];
const OTHERS = 0o077;

/**
 * Makes the folder for the hub's state, for its owner alone, or looks at the one that is there. Throws `input_invalid` where
 * it is somebody else's (a source folder that the next `git add` would publish) or cannot be written, and `key_exposed`
 * where others can read a key. A folder that is open while its keys are not is told to `log`.
 */
export async function prepareStateFolder(folder: string, log: (line: string) => void): Promise<void> {
  const path = resolve(folder);
  const names = await makeFolder(path).catch((cause: unknown) => {
    throw new AdbreakError('input_invalid', `Cannot keep the hub's state in ${path}`, {
      cause,
      remedy: 'Give --state a folder that this user may write.',
    });
  });
  refuseForeign(path, names);
  for (const secret of SECRETS) await refuseExposed(join(path, secret));
  if (((await stat(path)).mode & OTHERS) !== 0) log(`warning: others may look into ${path}; chmod 700 it`);
}

/** What root writes belongs to root, and the hub's own user could not read it. `what` as people say it after "Cannot". */
export async function refuseOtherUser(path: string, what: string): Promise<void> {
  const { uid } = await stat(path);
  if (process.getuid === undefined || process.getuid() === uid) return;
  throw new AdbreakError(
    'input_invalid',
    `Cannot ${what} ${path}: it belongs to user ${uid}, and this is user ${process.getuid()}`,
    { remedy: "Run it as the hub's user: `sudo -u adbreak-hub adbreak …`." },
  );
}

/** Throws `input_invalid` for a folder, by the names in it, that is somebody else's. */
export function refuseForeign(path: string, names: readonly string[]): void {
  const foreign = foreignName(names);
  if (foreign !== undefined)
    throw new AdbreakError(
      'input_invalid',
      `Cannot keep the hub's state in ${path}: the folder is not the hub's own, it holds ${foreign}`,
      {
        remedy:
          'Give --state a folder of its own, such as ~/.local/state/adbreak/hub; if a hub ran here, move its hub.db, identity/ca.* and registry/ there.',
      },
    );
}

/** Where a person finds the other copy of what is lost. */
const RESTORE =
  'Restore the whole state folder from a backup; what is here was not changed. A hub that begins anew takes an empty folder, and every device a new claim.';

/**
 * Whether no first start on this folder has come to its end: then what it left is nobody's yet, and may be completed or made
 * anew. Where the database is missing though anything was entrusted to the hub, it is lost, which is `state_corrupt`: a hub that
 * began anew there would know no device and no token.
 */
export async function neverStarted(folder: string): Promise<boolean> {
  // An empty file holds nothing; opened, SQLite would throw away the log of writes beside it.
  for (const name of [STATE, DOCUMENT])
    if (((await stat(join(folder, name)).catch(unlessMissing))?.size ?? 0) > 0) return false;
  return refuseLost(folder);
}

/** True where nothing was entrusted to a hub in this folder; throws `state_corrupt` where its database has lost what that was. */
export async function refuseLost(folder: string, database = join(resolve(folder), STATE)): Promise<true> {
  const left = await leftBehind(folder);
  if (left === null) return true;
  throw new AdbreakError(
    'state_corrupt',
    `Cannot start: ${database} is missing or empty, but ${left} is there: a hub has worked here`,
    {
      remedy: RESTORE,
    },
  );
}

/** Written when a first start has come to its end: without it a lost database could not be told from one that never was. */
export async function markBegun(folder: string, now: Date): Promise<void> {
  if ((await stat(join(folder, BEGUN)).catch(unlessMissing)) !== null) return;
  await writeAtomic(
    join(folder, BEGUN),
    `A hub works here since ${now.toISOString()}; its memory is ${STATE}.\n`,
    { mode: 0o600 },
  );
}

/** Whether a first start has come to its end here, wherever its database is. */
async function hasBegun(folder: string): Promise<boolean> {
  return (await stat(join(folder, BEGUN)).catch(unlessMissing)) !== null;
}

/** Whether a hub was started on this folder whose database is this one (SQLite in the folder where none is named). */
export async function wasStarted(folder: string, store: string | undefined): Promise<boolean> {
  return store === undefined ? !(await neverStarted(folder)) : hasBegun(folder);
}

/** What says that a hub was told something here: a version, a rollout, or any line of the audit log but its first token's. */
async function leftBehind(folder: string): Promise<string | null> {
  for (const name of [BEGUN, ...BEFORE])
    if ((await stat(join(folder, name)).catch(unlessMissing)) !== null) return name;
  for (const name of ['rollouts', 'registry/targets'])
    if (((await readdir(join(folder, name)).catch(unlessMissing)) ?? []).length > 0) return name;
  const info = await stat(join(folder, AUDIT)).catch(unlessMissing);
  if (info === null) return null;
  // Each start that was ended before its last step has left one line of about 100 bytes.
  if (info.size > 64 * 1024) return AUDIT;
  const lines = (await readFile(join(folder, AUDIT), 'utf8')).split('\n').slice(0, -1);
  return lines.every((line) => FIRST_TOKEN.test(line)) ? null : AUDIT;
}
const FIRST_TOKEN = /^\{"at":"[^"]*","who":"hub","what":"token\.create","subject":"first"\}$/;

function unlessMissing(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

/** The folder, its owner's alone where it was not there; what is in it. */
export async function makeFolder(path: string): Promise<string[]> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  const names = await readdir(path);
  // Wherever the folder is, no `git add` takes the fleet's keys along.
  if (names.length === 0) await writeFile(join(path, '.gitignore'), '*\n');
  return names;
}

function foreignName(names: readonly string[]): string | undefined {
  if (names.includes('package.json')) return 'package.json';
  return names.includes(STATE) || names.includes(DOCUMENT)
    ? undefined
    : names.find((name) => !OWN.has(name) && !isOfRestore(name) && !isUnfinished(name));
}

async function refuseExposed(path: string): Promise<void> {
  const info = await stat(path).catch(unlessMissing);
  if (info === null || (info.mode & OTHERS) === 0) return;
  throw new AdbreakError(
    'key_exposed',
    `Cannot use the key ${path}: others can read it (mode ${(info.mode & 0o777).toString(8)})`,
  );
}
