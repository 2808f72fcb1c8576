import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { exists, storageError, syncFolder } from '@adbreak/shared/storage/atomic.js';
import { makeFolder } from './writable.js';

/**
 * Fills a folder beside its place and puts it there when it is whole: one rename. What is killed leaves nothing under the name;
 * its leavings go at the next run. What stood in the place before goes when the new folder is there.
 */
export async function stage<T>(
  place: string,
  fill: (folder: string) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const parent = dirname(resolve(place));
  const name = basename(resolve(place));
  await makeFolder(parent);
  await clearLeavings(resolve(place), parent, name);
  const unfinished = join(parent, `.${name}.${process.pid}.part`);
  const former = join(parent, `.${name}.${process.pid}.former.part`);
  await makeFolder(unfinished);
  try {
    const result = await fill(unfinished);
    signal?.throwIfAborted();
    if (await exists(place)) await rename(place, former);
    await rename(unfinished, place);
    await syncFolder(parent);
    await rm(former, { recursive: true, force: true });
    return result;
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    if ((await exists(former)) && !(await exists(place))) await rename(former, place);
    throw storageError(cause, place);
  }
}

/** Of runs that were killed; one that still runs keeps its own. A kill between the two renames left the former folder without its name. */
async function clearLeavings(place: string, parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(`.${name}.`)) continue;
    const [, pid, isFormer] = /^(\d+)(\.former)?\.part$/.exec(entry.slice(name.length + 2)) ?? [];
    if (pid === undefined) continue;
    const leaving = join(parent, entry);
    if (isRunning(Number(pid)))
      throw new AdbreakError('conflict', `Cannot make ${place}: process ${pid} is doing so in ${leaving}`, {
        remedy: 'Wait for that process, or end it; if it is none of Adbreak, delete the folder.',
      });
    if (isFormer !== undefined && !(await exists(place))) await rename(leaving, place);
    else await rm(leaving, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
