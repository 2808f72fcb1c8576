import { statfs } from 'node:fs/promises';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { makeWritable } from '../dataset/writable.js';

/** A model, its manifest and a checkpoint fit into it. */
const LEAST_FREE_MIB = 64;
const REMEDY =
  'Name folders that this user may write: output.path and output.cache, or --output and --cache.';

/**
 * Tries every folder that a training will write to, before its work and not after it. Throws
 * `state_unwritable` or `disk_full`.
 */
export async function checkOutputs(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    await makeWritable(folder, REMEDY);
    const { bavail, bsize } = await statfs(folder);
    const free = (bavail * bsize) / 2 ** 20;
    if (free < LEAST_FREE_MIB)
      throw new AdbreakError(
        'disk_full',
        `Cannot train into ${folder}: ${Math.floor(free)} MiB are free, and ${LEAST_FREE_MIB} are needed at least`,
        { remedy: 'Free space on the volume named, or name folders on another one.' },
      );
  }
}
