import { access, constants, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { storageError } from '@adbreak/shared/storage/atomic.js';

/**
 * What another's folder, a read-only mount or a unit's ProtectSystem= answers (ENOENT: a recursive mkdir on a read-only
 * mount). A full disk is none of them: an agent starts on one.
 */
const REFUSALS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT'];

/** Makes the state folder, or says before anything else happens that this process can keep nothing there. */
export async function requireWritable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (!REFUSALS.includes(systemCode(cause) ?? '')) throw storageError(cause, folder);
    throw new AdbreakError(
      'state_unwritable',
      `Cannot keep anything in the state folder ${folder}: ${userInfo().username} may not write it`,
      {
        cause,
        remedy:
          'Set `state` in the configuration to a folder of this user, or start the agent by its systemd unit, whose StateDirectory is /var/lib/adbreak.',
      },
    );
  }
}
