import { mkdir, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AdbreakError, explain, hasCode, systemCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';

/** A model, its manifest and a checkpoint fit into it. */
const LEAST_FREE_MIB = 64;

/**
 * Tries every folder that a training will write to, before its work and not after it. Throws
 * `state_unwritable` or `disk_full`.
 */
export async function checkOutputs(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const probe = join(folder, '.writable');
    try {
      await makeFolder(resolve(folder));
      await writeAtomic(probe, 'x');
      await rm(probe, { force: true });
    } catch (cause) {
      if (hasCode(cause, 'disk_full')) throw cause;
      throw new AdbreakError('state_unwritable', `Cannot write to ${folder}: ${explain(cause)}`, {
        remedy:
          'Name folders that this user may write: output.path and output.cache, or --output and --cache.',
      });
    }
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

/**
 * A folder with those above it. Step by step: Node's own recursion never ends where a file system answers
 * ENOENT, as /proc does.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}
