import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { SETTINGS_FILE } from '../store/settings.js';
import { fileEntry, limitOf, pathOf } from './format.js';

const TARGETS = 'registry/targets';
const METADATA = 'registry/metadata';

/** A file of the state folder for a backup. Small ones are read already. */
export interface StateFile {
  readonly path: string;
  /** Null for an artifact, which is read when its turn comes. */
  readonly bytes: Uint8Array | null;
}

/**
 * The files that a hub needs beside its rows, keys first. Of the signed metadata only what is in force: the timestamp
 * is read first and names the snapshot, which names the targets; each is on disk before it is named, and never changes.
 */
export async function* stateFiles(
  folder: string,
  { models }: { models: boolean },
): AsyncGenerator<StateFile> {
  for (const path of ['hub.begun', ...(await namesIn(folder, 'identity'))]) yield* readSmall(folder, path);
  for (const path of await namesIn(folder, 'registry/keys')) yield* readSmall(folder, path);
  yield* metadataInForce(folder);
  if (models) for (const path of await namesIn(folder, TARGETS)) yield { path, bytes: null };
}

/** Read before all else: they say where the rows are, and where a restore puts them. */
export function settingsFile(folder: string): AsyncGenerator<StateFile> {
  return readSmall(folder, SETTINGS_FILE);
}

async function* readSmall(folder: string, path: string): AsyncGenerator<StateFile> {
  const bytes = await readLimited(join(folder, path), limitOf(fileEntry(path)));
  if (bytes !== undefined) yield { path, bytes };
}

/** Names that a backup takes; what a killed write has left begins with a dot and is none. */
async function namesIn(folder: string, inside: string): Promise<string[]> {
  const found = await readdir(join(folder, inside), { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return found
    .filter((one) => one.isFile() && pathOf(fileEntry(`${inside}/${one.name}`)) !== null)
    .map(({ name }) => `${inside}/${name}`)
    .sort();
}

const named = z.object({ version: z.int().positive() });
const timestampSchema = z.object({ signed: z.object({ meta: z.object({ 'snapshot.json': named }) }) });
const snapshotSchema = z.object({ signed: z.object({ meta: z.object({ 'targets.json': named }) }) });

/** Each read once: what is in the backup is what named the next one. */
async function* metadataInForce(folder: string): AsyncGenerator<StateFile> {
  for (const path of await namesIn(folder, METADATA))
    if (path.endsWith('.root.json')) yield* readSmall(folder, path);
  const timestamp = await readMetadata(folder, 'timestamp.json', timestampSchema);
  yield timestamp.file;
  const { version } = timestamp.value.signed.meta['snapshot.json'];
  const snapshot = await readMetadata(folder, `${version}.snapshot.json`, snapshotSchema);
  yield snapshot.file;
  const targets = snapshot.value.signed.meta['targets.json'].version;
  yield (await readMetadata(folder, `${targets}.targets.json`, z.unknown())).file;
}

async function readMetadata<T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
): Promise<{ readonly file: StateFile; readonly value: T }> {
  const path = `${METADATA}/${name}`;
  const limit = limitOf(fileEntry(path));
  const bytes = await readLimited(join(folder, path), limit);
  if (bytes === undefined)
    throw new AdbreakError('state_corrupt', `Cannot back the registry up: ${join(folder, path)} is missing`);
  return {
    file: { path, bytes },
    value: parseJson(schema, bytes, limit, join(folder, path), 'state_corrupt'),
  };
}
