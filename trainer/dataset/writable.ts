import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AdbreakError, explain, hasCode, systemCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';

const REMEDY = 'Name a folder that this user may write to.';

/**
 * Makes a folder where there is none, and tries whether it can be written to: before hours of work, not after
 * them. Throws `state_unwritable` or `disk_full`.
 */
export async function makeWritable(folder: string, remedy = REMEDY): Promise<void> {
  await makeFolder(folder, remedy);
  const probe = join(folder, `.writable.${process.pid}`);
  try {
    await writeAtomic(probe, 'x');
    await rm(probe, { force: true });
  } catch (cause) {
    throw hasCode(cause, 'disk_full') ? cause : unwritable(folder, remedy, cause);
  }
}

/** A folder with those above it. Throws `state_unwritable`. */
export async function makeFolder(folder: string, remedy = REMEDY): Promise<void> {
  await makeStepwise(resolve(folder)).catch((cause: unknown) => {
    throw unwritable(folder, remedy, cause);
  });
}

/** Step by step: Node's own recursion never ends where a file system answers ENOENT, as /proc does. */
async function makeStepwise(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeStepwise(dirname(path));
    await mkdir(path);
  }
}

function unwritable(folder: string, remedy: string, cause: unknown): AdbreakError {
  return new AdbreakError('state_unwritable', `Cannot write to ${folder}: ${explain(cause)}`, { remedy });
}
