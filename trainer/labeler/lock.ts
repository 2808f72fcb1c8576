import { AdbreakError } from '@adbreak/shared/errors.js';
import { type FolderLock, lockFolder } from '@adbreak/shared/storage/lock.js';

const LOCK: FolderLock = {
  socket: 'adbreak-labels',
  file: 'labels.lock',
  taken: (folder, pid) => {
    const who = pid === null ? 'another process' : `process ${pid}`;
    return new AdbreakError('conflict', `Cannot write labels to ${folder}: ${who} does so already`, {
      remedy: 'Use its page, or stop it first; or name another --output-dir.',
    });
  },
};

/** One writer for each output folder. Throws `conflict` where another runs. */
export function lockOutput(folder: string): Promise<AsyncDisposable> {
  return lockFolder(folder, LOCK);
}
