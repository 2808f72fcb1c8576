import { copyFile, mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { exists, storageError, syncFile, syncFolder, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { Authority } from '../identity/authority.js';
import { restoredFrom } from '../monitoring/rebuild.js';
import { type ListedTarget, Registry } from '../registry/registry.js';
import { ALL_TABLES, insertRow, isTable } from '../store/backup-rows.js';
import { lockHub } from '../store/lock.js';
import { load, openDatabase } from '../store/open.js';
import { putRestoring, restoringInto } from '../store/restoring.js';
import { isFloor, putFloor } from '../store/rows.js';
import { parseSettings, SETTINGS_FILE, settingsText } from '../store/settings.js';
import type { Database } from '../store/sql/database.js';
import { hasTables, migrate, migrateAnew, SCHEMA } from '../store/sql/migrations.js';
import type { Statement } from '../store/sql/queries.js';
import { makeFolder, refuseForeign, refuseOtherUser } from '../store/state-folder.js';
import { sha256OfFile } from './artifacts.js';
import { exchange, finishRestore, namesOfState, STAGING } from './exchange.js';
import { type Header, pathOf, SQLITE, tableOf } from './format.js';
import { beyond, refuseEarlyClock } from './leap.js';
import { collect, openBackup, type ReadEntry } from './read.js';

export interface RestoreOptions {
  readonly folder: string;
  readonly path: string;
  /** Move what is there aside. */
  readonly force: boolean;
  /**
   * Where its rows go: a postgres:// URL, or `sqlite` for a file in the folder. Otherwise as the settings in it say.
   */
  readonly store?: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}
export interface RestoreResult {
  readonly header: Header;
  /** Where the state of before is; null where there was none. */
  readonly aside: string | null;
  readonly devices: number;
  /** Artifacts that the signed list names and that are not here: NAME/VERSION/FILE. */
  readonly missing: readonly string[];
}

type Found = Pick<RestoreResult, 'devices' | 'missing'>;

/** Kept free of what a restore unpacks. */
const RESERVE = 64 * 1024 * 1024;

/**
 * Puts a backup in the place of a state folder's content, all of it or nothing: it is unpacked beside it, checked by
 * its manifest, opened as a start would open it, given higher numbers than devices can have seen, and only then
 * exchanged.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { folder, signal } = options;
  const path = resolve(folder);
  refuseForeign(path, await makeFolder(path));
  await refuseOtherUser(path, 'restore into');
  await using _ = await lockHub(folder).catch((error: unknown) => {
    throw hasCode(error, 'conflict') ? inUse(path) : error;
  });
  await finishRestore(folder);
  await refuseState(options);
  const staging = join(folder, STAGING);
  const unpacked = await unpack(options, staging).catch(async (error: unknown) => {
    await rm(staging, { recursive: true, force: true });
    throw storageError(error, staging);
  });
  // From here on it cannot be called off: what is decided is carried to its end, by this process or the next start.
  signal.throwIfAborted();
  return { ...unpacked, aside: await exchange(folder, options.now()) };
}

function inUse(path: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot restore into ${path}: a hub runs on it`, {
    remedy: 'Stop the hub first: `systemctl stop adbreak-hub` where it runs as a service.',
  });
}

async function refuseState({ folder, force }: RestoreOptions): Promise<void> {
  const [first] = await namesOfState(folder);
  if (force || first === undefined) return;
  throw new AdbreakError(
    'conflict',
    `Cannot restore into ${resolve(folder)}: there is a hub's state already (${first})`,
    {
      remedy:
        'Give --state an empty folder; or --force, which moves what is there into before-restore-… inside of it.',
    },
  );
}

async function unpack(options: RestoreOptions, staging: string): Promise<Omit<RestoreResult, 'aside'>> {
  const { folder, path, signal } = options;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { mode: 0o700 });
  const { header, entries } = await openBackup(path, signal);
  try {
    if (header.schema > SCHEMA) throw newer(path, header);
    refuseEarlyClock(header.at, options.now());
    const database = await openDatabase(staging, await settle(options, staging, entries));
    try {
      const found = await fill(options, staging, database, header, entries);
      signal.throwIfAborted();
      await syncTree(staging);
      await syncFolder(folder);
      return { header, ...found };
    } finally {
      await database.close();
    }
  } finally {
    await entries.return(undefined);
  }
}

/** The rows as the schema of their time has them, then as this hub has it. */
async function fill(
  options: RestoreOptions,
  staging: string,
  database: Database,
  header: Header,
  entries: AsyncGenerator<ReadEntry>,
): Promise<Found> {
  await makeRoom(options, database, header);
  // One transaction, and the last thing that it reads is the manifest: it is committed only where all of it is whole.
  await database.transact(statements(options, staging, header, entries));
  await migrate(database, options.now());
  return goBeyond(options, staging, database, header);
}

function newer(path: string, { schema, program }: Header): AdbreakError {
  return new AdbreakError(
    'conflict',
    `Cannot restore ${path}: its schema is number ${schema} (hub ${program}), and this hub knows ${SCHEMA}`,
    { remedy: 'Restore it with the version that wrote it, or a newer one; nothing was changed.' },
  );
}

/** Writes the settings, which come first, and gives the database that they name, or the one that the caller names. */
async function settle(
  { path, store }: RestoreOptions,
  staging: string,
  entries: AsyncIterator<ReadEntry>,
): Promise<string | undefined> {
  const first = await entries.next();
  if (first.done || pathOf(first.value.name) !== SETTINGS_FILE)
    throw new AdbreakError(
      'state_corrupt',
      `Cannot restore ${path}: the hub's settings are not its first file`,
    );
  const { store: before, ...others } = parseSettings(
    await collect(first.value.body),
    `${path}: ${SETTINGS_FILE}`,
  );
  const wanted = store ?? before;
  const url = wanted === SQLITE ? undefined : wanted;
  const settings = { ...others, ...(url !== undefined && { store: url }) };
  await writeAtomic(join(staging, SETTINGS_FILE), settingsText(settings), { mode: 0o600 });
  return url;
}

/**
 * The tables of the backup's time, empty. A database of PostgreSQL cannot be moved aside, so nothing may be in it but what an
 * earlier restore into this folder has left.
 */
async function makeRoom({ folder, now }: RestoreOptions, database: Database, header: Header): Promise<void> {
  const known = await hasTables(database);
  if (known && (await restoringInto(database)) === resolve(folder))
    return migrateAnew(database, ALL_TABLES, now(), header.schema);
  await migrate(database, now(), header.schema);
  const [token] = await database.rows({ sql: 'select id from token limit 1', parameters: [] });
  if (token === undefined) return;
  throw new AdbreakError(
    'conflict',
    `Cannot restore into ${database.name}: there is a hub's memory already`,
    {
      remedy:
        'Make an empty database (`createdb NAME`) and name it with --store; or restore into a file: --store sqlite.',
    },
  );
}

/** The rows of a backup as statements; its files go to where they belong on the way. */
async function* statements(
  options: RestoreOptions,
  staging: string,
  { at }: Header,
  entries: AsyncGenerator<ReadEntry>,
): AsyncGenerator<Statement> {
  let highest = 0;
  for await (const entry of entries) {
    await refuseTooFull(staging, entry);
    options.progress(entry.name);
    const table = tableOf(entry.name);
    if (table === null) await writeFileOf(entry, staging);
    else
      for await (const row of rowsOf(entry)) {
        if (!isTable(table)) throw unknownTable(options.path, table);
        if (table === 'device') highest = Math.max(highest, revisionOf(row));
        if (table === 'meta') highest = Math.max(highest, floorOf(row));
        yield insertRow(table, row, `a row of ${entry.name}`);
      }
  }
  yield putFloor(beyond(highest, options.now()));
  yield restoredFrom(at);
  yield putRestoring(options.folder);
}

function unknownTable(path: string, table: string): AdbreakError {
  return new AdbreakError(
    'state_corrupt',
    `Cannot restore ${path}: it has rows of ${table}, which no hub has`,
  );
}

const LINE = z.unknown();
async function* rowsOf({ name, bytes, body }: ReadEntry): AsyncGenerator<unknown> {
  const lines = Buffer.from(await collect(body))
    .toString()
    .split('\n');
  for (const line of lines.slice(0, -1))
    yield parseJson(LINE, line, bytes, `a row of ${name}`, 'state_corrupt');
}

const deviceRow = z.object({ body: z.string() });
const deviceBody = z.object({ desired: z.object({ revision: z.int() }).nullable() });
function revisionOf(row: unknown): number {
  const what = 'a row of device';
  const { body } = check(deviceRow, row, what, 'state_corrupt');
  return parseJson(deviceBody, body, body.length, what, 'state_corrupt').desired?.revision ?? 0;
}

const metaRow = z.object({ key: z.string(), value: z.string() });
/** What an earlier restore has noted, in the backup of a hub that was restored itself. */
function floorOf(row: unknown): number {
  const { key, value } = check(metaRow, row, 'a row of meta', 'state_corrupt');
  return isFloor(key) ? Number(value) : 0;
}

async function writeFileOf({ name, body }: ReadEntry, staging: string): Promise<void> {
  const path = join(staging, pathOf(name) ?? '');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await using file = await open(path, 'wx', 0o600);
  for await (const chunk of body) await file.appendFile(chunk);
  await file.sync();
}

async function refuseTooFull(folder: string, { name, bytes }: ReadEntry): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize - RESERVE >= bytes) return;
  throw new AdbreakError(
    'disk_full',
    `Cannot restore into ${folder}: ${name} has ${bytes} bytes, ${bavail * bsize} are free, ${RESERVE} stay so`,
  );
}

/**
 * Opens what was unpacked as a start would, so that a backup which no hub can start from is refused now; then notes the
 * restore in the audit log and signs the metadata anew, beyond what clients have seen.
 */
async function goBeyond(
  { folder, now }: RestoreOptions,
  staging: string,
  database: Database,
  header: Header,
): Promise<Found> {
  await Authority.open(join(staging, 'identity'), now(), { begin: false });
  const store = await load(database, now, () => undefined);
  const registry = await Registry.open(join(staging, 'registry'), store, now, false);
  const missing = await findArtifacts(folder, staging, await registry.listed());
  await registry.leap((version) => beyond(version, now()));
  const after = { at: header.at, program: header.program, revisionFloor: store.state.revisionFloor };
  await store.change(() => undefined, { who: 'hub', what: 'hub.restore', subject: header.at, after });
  await store.close();
  return { devices: Object.keys(store.state.devices).length, missing };
}

/**
 * What the backup was made without, from the state that is moved aside, where it is whole there; names what is nowhere.
 */
async function findArtifacts(
  folder: string,
  staging: string,
  listed: readonly ListedTarget[],
): Promise<string[]> {
  const missing: string[] = [];
  for (const { path, digest } of listed) {
    const [from, to] = [folder, staging].map((one) => join(one, 'registry/targets', digest));
    if (from === undefined || to === undefined || (await exists(to))) continue;
    if ((await exists(from)) && (await sha256OfFile(from)) === digest) await copyFile(from, to);
    else missing.push(path);
  }
  return missing;
}

/** Every file and folder below it is on the disk. */
async function syncTree(folder: string): Promise<void> {
  for (const one of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, one.name);
    await (one.isDirectory() ? syncTree(path) : syncFile(path));
  }
  await syncFolder(folder);
}
