import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { exists } from '@adbreak/shared/storage/atomic.js';
import { MANIFEST, readManifest } from './manifest.js';
import { byCodeUnits } from './scan.js';

/**
 * Looks whether a folder may be replaced by a new data set: it is not there, is empty, or is a data set that holds what it
 * was made with, by name, and nothing else. What people put into it or moved about in it is theirs. Throws `conflict`.
 */
export async function refuseForeign(folder: string, force: boolean): Promise<void> {
  const entries = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    if (systemCode(error) === 'ENOTDIR') return ['it is a file'];
    throw error;
  });
  if (entries.length === 0) return;
  if (!entries.includes(MANIFEST))
    throw new AdbreakError('conflict', `Cannot make the data set ${folder}: something else is there`, {
      remedy: 'Name a folder that is not there yet, or delete that one.',
    });
  if (force) return;
  const manifest = await readManifest(folder);
  const changed = await firstChange(folder, manifest?.pictures.map(({ path }) => path) ?? []);
  if (changed === null) return;
  throw new AdbreakError(
    'conflict',
    `Cannot replace the data set ${folder}: it was changed by hand since it was made; ${changed}`,
    { remedy: 'Name another folder, or say --force; `adbreak dataset verify` lists the changes.' },
  );
}

async function firstChange(folder: string, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (!(await exists(join(folder, path)))) return `${path} is gone`;
  const known = new Set([MANIFEST, ...paths]);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const added = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'))
    .filter((path) => !known.has(path));
  const [first] = added.sort(byCodeUnits);
  return first === undefined ? null : `${first} was added`;
}
