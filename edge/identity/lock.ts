import { resolve } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { holdSocket } from '@adbreak/shared/storage/lock.js';

/** One agent per state folder. */
export function lockState(folder: string): Promise<AsyncDisposable> {
  const path = resolve(folder);
  return holdSocket(
    `\0adbreak-agent-${sha256(path).slice(0, 32)}`,
    () =>
      new AdbreakError('identity_in_use', `Cannot start: another agent runs on the state folder ${path}`, {
        remedy: 'Stop it, or give this agent a state folder and an identity of its own.',
      }),
  );
}
