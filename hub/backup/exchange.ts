import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import {
  exists,
  readLimited,
  storageError,
  syncFolder,
  writeAtomic,
} from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import { LOCK_FILE } from '../store/lock.js';

/** Where a restore unpacks a backup: inside the state folder, so that a rename puts it into place. */
export const STAGING = 'restore.new';
/** From the moment that this file is there, the restored state is the one that counts. */
const DECISION = 'restore.decided';
/** What a restore has moved aside. */
const ASIDE = /^before-restore-[0-9TZ-]{1,40}$/;
/** Nothing that leads out of the folder. */
const NAME = z
  .string()
  .min(1)
  .max(255)
  .refine((name) => !/[/\\\0]/.test(name) && name !== '.' && name !== '..');
const decisionSchema = z.strictObject({
  aside: z.string().regex(ASIDE),
  old: z.array(NAME).max(10_000),
  new: z.array(NAME).max(100),
});
const LIMIT = 1024 * 1024;

/** Whether a name in a state folder is a restore's own. */
export function isOfRestore(name: string): boolean {
  return name === STAGING || name === DECISION || ASIDE.test(name);
}

/** Whether a name is of a file whose writing was killed: nothing refers to it. */
export function isUnfinished(name: string): boolean {
  return /^\..*\.part$/.test(name);
}

/** Names in a state folder that are a state's own: what a restore moves aside. */
export async function namesOfState(folder: string): Promise<string[]> {
  const names = (await exists(folder)) ? await readdir(folder) : [];
  const others = [LOCK_FILE, '.gitignore'];
  return names.filter((name) => !others.includes(name) && !isOfRestore(name) && !isUnfinished(name)).sort();
}

/**
 * Puts what lies in `STAGING`, whole and synced, in the place of the state that is there, which is moved aside. Either
 * all of it or nothing: one file decides, and from then on whoever opens the folder first does the rest
 * (`finishRestore`). A folder as a whole cannot be exchanged in one step where it is a mount, or where its parent
 * belongs to somebody else.
 */
export async function exchange(folder: string, now: Date): Promise<string | null> {
  const old = await namesOfState(folder);
  // The caller holds the lock: nobody is writing them.
  for (const name of await readdir(folder)) if (isUnfinished(name)) await rm(join(folder, name));
  const aside = `before-restore-${now.toISOString().replace(/[:.]/g, '-')}`;
  const decision = { aside, old, new: (await readdir(join(folder, STAGING))).sort() };
  await writeAtomic(join(folder, DECISION), JSON.stringify(decision), { mode: 0o600 });
  await finishRestore(folder);
  return old.length === 0 ? null : join(resolve(folder), aside);
}

/**
 * Carries a restore to its end that was decided and then killed. Whether there was one. The caller holds the folder's
 * lock.
 */
export async function finishRestore(folder: string): Promise<boolean> {
  const decision = await readDecision(folder);
  if (decision === null) return false;
  const { aside, old, new: names } = decision;
  const [from, to] = [join(folder, STAGING), join(folder, aside)];
  try {
    if (old.length > 0) await mkdir(to, { recursive: true, mode: 0o700 });
    // Before anything new has this place, so what is found there is the old one.
    // One that is gone was no part of the state: a reader from beside takes SQLite's -wal and -shm away when it ends.
    for (const name of old) {
      const isNew = names.includes(name) && !(await exists(join(from, name)));
      if (!isNew && !(await exists(join(to, name))) && (await exists(join(folder, name))))
        await rename(join(folder, name), join(to, name));
    }
    if (old.length > 0) await syncFolder(to);
    await syncFolder(folder);
    for (const name of names)
      if (await exists(join(from, name))) await rename(join(from, name), join(folder, name));
    await syncFolder(folder);
    await rm(join(folder, DECISION));
    await rm(from, { recursive: true, force: true });
    await syncFolder(folder);
  } catch (error) {
    throw storageError(error, folder);
  }
  return true;
}

/**
 * For who only reads a state folder: between the decision and the end of a restore it is neither the old nor the new
 * one.
 */
export async function refuseUnfinished(folder: string): Promise<void> {
  if (!(await exists(join(folder, DECISION)))) return;
  throw new AdbreakError('conflict', `Cannot read ${resolve(folder)}: a restore was interrupted in it`, {
    remedy: 'Start the hub: it brings the restore to its end first.',
  });
}

async function readDecision(folder: string): Promise<z.infer<typeof decisionSchema> | null> {
  const path = join(folder, DECISION);
  const bytes = await readLimited(path, LIMIT);
  return bytes === undefined ? null : parseJson(decisionSchema, bytes, LIMIT, path, 'state_corrupt');
}
