import type { Server, Socket } from 'node:net';
import { type Allowance, TokenBuckets } from '@adbreak/shared/token-bucket.js';
import { network } from '../identity/guesses.js';

/** Addresses remembered, about 1 MB; one that is forgotten has its whole allowance again. */
const ADDRESSES = 10_000;

/**
 * Bounds the connections that a listener holds, in all and of one address: each costs memory and a file
 * descriptor before its other side has said who it is. Generous, for a whole site may stand behind one
 * address. `refused` hears of whom.
 */
export function limitConnections(
  server: Server,
  { all, each }: { readonly all: number; readonly each: number },
  refused: (address: string) => void = () => undefined,
): void {
  const held = new Map<string, number>();
  server.maxConnections = all;
  server.on('connection', (socket: Socket) => {
    const address = network(socket.remoteAddress ?? '');
    const count = (held.get(address) ?? 0) + 1;
    if (count > each) {
      socket.destroy();
      refused(address);
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

/**
 * Bounds how often connections begin, of one address and in all, before anything of them is read. An address
 * that comes too often takes nothing of what is there for all.
 */
export function limitHandshakes(
  server: Server,
  { all, each }: { readonly all: Allowance; readonly each: Allowance },
  refused: (address: string) => void,
): void {
  const addresses = new TokenBuckets(each, ADDRESSES);
  const everybody = new TokenBuckets(all, 1);
  server.on('connection', (socket: Socket) => {
    // Closed by another bound already.
    if (socket.destroyed) return;
    const now = performance.now();
    const address = network(socket.remoteAddress ?? '');
    if (addresses.take(address, 1, now) === 0 && everybody.take('', 1, now) === 0) return;
    socket.destroy();
    refused(address);
  });
}
