import { once } from 'node:events';
import { mkdir, realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';

/**
 * One hub per state folder. The lock is an abstract Unix socket, as the agent's is: the kernel lets go of it when the
 * process ends, however it ends, so there is no stale lock to take over. It knows the folder by its real path.
 */
export async function lockHub(folder: string): Promise<AsyncDisposable> {
  await mkdir(folder, { recursive: true });
  const path = await realpath(folder);
  const server: Server = createServer((socket) => socket.destroy());
  server.listen(`\0adbreak-hub-${sha256(path).slice(0, 32)}`);
  await once(server, 'listening').catch((cause: unknown) => {
    throw new AdbreakError('conflict', `Cannot start: another hub runs on the state folder ${path}`, {
      cause,
      remedy: 'Stop it, or give this hub a folder of its own with --state.',
    });
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())) };
}
