import { AdbreakError } from '@adbreak/shared/errors.js';
import { type FolderLock, holderOf as holder, lockFolder } from '@adbreak/shared/storage/lock.js';

export const LOCK_FILE = 'hub.lock';
const LOCK: FolderLock = {
  socket: 'adbreak-hub',
  file: LOCK_FILE,
  taken: (folder) =>
    new AdbreakError('conflict', `Cannot use the state folder ${folder}: a hub runs on it`, {
      remedy: 'Stop that hub first; or name another folder with --state.',
    }),
};

/** One hub per state folder. */
export function lockHub(folder: string): Promise<AsyncDisposable> {
  return lockFolder(folder, LOCK);
}

/** The process that holds a state folder's lock, or null; null as its number where the lock file does not say it. Takes nothing. */
export function holderOf(folder: string): Promise<{ readonly pid: number | null } | null> {
  return holder(folder, LOCK);
}
