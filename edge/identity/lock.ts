import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { resolve } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';

/**
 * One agent per state folder. The lock is an abstract Unix socket: the kernel lets go of it when the process ends,
 * however it ends, so there is no stale lock to clean up.
 */
export async function lockState(folder: string): Promise<AsyncDisposable> {
  const server: Server = createServer((socket) => socket.destroy());
  server.listen(`\0adbreak-agent-${sha256(resolve(folder)).slice(0, 32)}`);
  await once(server, 'listening').catch((cause: unknown) => {
    if (systemCode(cause) !== 'EADDRINUSE') throw cause;
    // Without its cause: the name of the socket says nothing to people.
    throw new AdbreakError(
      'identity_in_use',
      `Cannot start: another agent runs on the state folder ${resolve(folder)}`,
      {
        remedy: 'Stop it, or give this agent a state folder and an identity of its own.',
      },
    );
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())) };
}
