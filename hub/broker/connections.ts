import type { Server, Socket } from 'node:net';
import { network } from '../identity/guesses.js';

/**
 * Bounds the connections that a listener holds, in all and of one address: each costs memory and a file descriptor before its
 * other side has said who it is. Generous, for a whole site may stand behind one address.
 */
export function limitConnections(
  server: Server,
  { all, each }: { readonly all: number; readonly each: number },
): void {
  const held = new Map<string, number>();
  server.maxConnections = all;
  server.on('connection', (socket: Socket) => {
    const address = network(socket.remoteAddress ?? '');
    const count = (held.get(address) ?? 0) + 1;
    if (count > each) {
      socket.destroy();
      return;
    }
    held.set(address, count);
    socket.once('close', () => {
      const left = (held.get(address) ?? 1) - 1;
      if (left > 0) held.set(address, left);
      else held.delete(address);
    });
  });
}
