import { type FileHandle, open } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { rowsOf, schemaOf, TABLES, type Table, withoutPosition } from '../store/backup-rows.js';
import { openBeside } from '../store/open.js';
import { refuseBadRow } from '../store/rows.js';
import { readSettings } from '../store/settings.js';
import type { Database } from '../store/sql/database.js';
import { SCHEMA } from '../store/sql/migrations.js';
import { Sqlite } from '../store/sql/sqlite.js';
import { wasStarted } from '../store/state-folder.js';
import { ArchiveWriter } from './archive.js';
import { refuseUnfinished } from './exchange.js';
import { CHUNK, FORMAT, fileEntry, HEADER, type Header, limitOf, rowsEntry } from './format.js';
import { type StateFile, settingsFile, stateFiles } from './state-files.js';

export interface BackupOptions {
  readonly folder: string;
  readonly path: string;
  readonly models: boolean;
  readonly program: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Hears how far it is. */
  readonly progress: (line: string) => void;
}
export interface BackupResult {
  readonly at: string;
  readonly bytes: number;
  readonly rows: number;
  readonly devices: number;
  readonly files: number;
  /** Artifacts whose bytes are not those of their name: the disk has damaged them. */
  readonly damaged: readonly string[];
}

/**
 * All that a hub needs on another machine, as of one moment, in one file. From beside the hub, which may run: it goes
 * on writing while its rows are read.
 *
 * Rows first, files after. A version's files and its signed metadata are on disk before the row that names it is
 * committed (Registry.register), and no artifact is ever taken away: files that are read later hold all that the rows
 * name. What was published in between is a target without a row, which is what a hub leaves that is killed there, and
 * pushing the version again mends it. The other way round a row could name a model that no device can fetch.
 */
export async function backUp(options: BackupOptions): Promise<BackupResult> {
  const { folder, path, signal } = options;
  await refuseUnfinished(folder);
  const { store } = await readSettings(folder);
  if (!(await wasStarted(folder, store)))
    throw new AdbreakError('not_found', `Cannot back up: no hub has been started on ${resolve(folder)}`, {
      remedy: 'Give --state the folder of the hub.',
    });
  if (!relative(resolve(folder), resolve(path)).startsWith('..'))
    throw new AdbreakError(
      'input_invalid',
      `Cannot write the backup ${path}: it lies in the hub's own folder`,
      {
        remedy: 'Name a place elsewhere, at best on another disk: who loses the folder needs the backup.',
      },
    );
  const archive = await ArchiveWriter.open(path, signal);
  try {
    return await write(options, archive);
  } catch (error) {
    await archive.discard();
    throw error;
  }
}

async function write(options: BackupOptions, archive: ArchiveWriter): Promise<BackupResult> {
  const { folder } = options;
  const database = await openToRead(folder);
  try {
    const { at, counts, settings } = await database.snapshot(async (rows) => {
      const schema = await schemaOf(rows);
      if (schema !== SCHEMA) throw ofAnotherVersion(database.name, schema);
      const header: Header = {
        adbreak: 'hub backup',
        format: FORMAT,
        program: options.program,
        schema,
        at: options.now().toISOString(),
        models: options.models,
      };
      await addBytes(archive, HEADER, Buffer.from(JSON.stringify(header)));
      const settings = await addFiles(archive, settingsFile(folder), options);
      const counts = new Map<Table, number>();
      for (const table of TABLES)
        counts.set(
          table,
          await addRows(archive, table, readable(table, rows(rowsOf(table)), database.name), options),
        );
      return { at: header.at, counts, settings };
    });
    const others = await addFiles(archive, stateFiles(folder, options), options);
    const rows = [...counts.values()].reduce((sum, n) => sum + n, 0);
    return {
      at,
      rows,
      files: settings.files + others.files,
      damaged: others.damaged,
      devices: counts.get('device') ?? 0,
      bytes: await archive.finish(),
    };
  } finally {
    await database.close();
  }
}

/**
 * The database from beside the hub. One of SQLite that the hub has not written to since its start has no log of writes:
 * a reader would then keep its first write out, so this puts it into that mode before it reads, as the write itself
 * would.
 */
async function openToRead(folder: string): Promise<Database> {
  const database = await openBeside(folder);
  if (database instanceof Sqlite) await database.transact([]);
  return database;
}

function ofAnotherVersion(name: string, schema: number): AdbreakError {
  return new AdbreakError(
    'conflict',
    `Cannot back up: the schema of ${name} is number ${schema}, and this program knows ${SCHEMA}`,
    { remedy: 'Use the version of the hub that runs, or start the hub with this version first.' },
  );
}

/** Rows as a start reads them: a backup with one that no hub starts from would be found out when it is needed. */
async function* readable(table: Table, rows: AsyncIterable<unknown>, name: string): AsyncGenerator<unknown> {
  for await (const row of rows) {
    try {
      refuseBadRow(table, row, name);
    } catch (cause) {
      throw new AdbreakError('state_corrupt', 'Cannot back up: no hub could start from it', {
        cause,
        remedy: 'Keep the backup before it. A hub that runs goes on: mend that row, or restore.',
      });
    }
    yield row;
  }
}

/** Rows in entries of about `CHUNK`; how many there are. */
async function addRows(
  archive: ArchiveWriter,
  table: Table,
  rows: AsyncIterable<unknown>,
  { progress, signal }: BackupOptions,
): Promise<number> {
  let [count, entries, length] = [0, 0, 0];
  let lines: string[] = [];
  const flush = async () => {
    if (lines.length === 0) return;
    await addBytes(archive, rowsEntry(table, ++entries), Buffer.from(lines.join('')));
    [lines, length] = [[], 0];
    progress(`${table}: ${count} rows`);
  };
  for await (const row of rows) {
    signal.throwIfAborted();
    const line = `${JSON.stringify(withoutPosition(row, `a row of ${table}`))}\n`;
    lines.push(line);
    length += line.length;
    count++;
    if (length >= CHUNK) await flush();
  }
  await flush();
  return count;
}

async function addBytes(archive: ArchiveWriter, name: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > limitOf(name))
    throw new AdbreakError(
      'input_too_large',
      `Cannot back up ${name}: ${bytes.length} bytes, at most ${limitOf(name)}`,
    );
  await archive.add(name, bytes.length, [bytes]);
}

async function addFiles(
  archive: ArchiveWriter,
  of: AsyncIterable<StateFile>,
  { folder, progress }: BackupOptions,
): Promise<{ files: number; damaged: string[] }> {
  const damaged: string[] = [];
  let files = 0;
  for await (const file of of) {
    progress(file.path);
    if (file.bytes !== null) await addBytes(archive, fileEntry(file.path), file.bytes);
    else if (!(await addArtifact(archive, folder, file))) damaged.push(file.path);
    files++;
  }
  return { files, damaged };
}

/** An artifact without holding it in memory; whether its bytes are those that its name says. */
async function addArtifact(archive: ArchiveWriter, folder: string, { path }: StateFile): Promise<boolean> {
  await using file: FileHandle = await open(join(folder, path), 'r');
  const { size } = await file.stat();
  const { sha256 } = await archive.add(fileEntry(path), size, file.createReadStream({ autoClose: false }));
  return sha256 === basename(path);
}
