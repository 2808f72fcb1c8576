import type { Server, Socket } from 'node:net';
import { type Allowance, TokenBuckets } from '@adbreak/shared/token-bucket.js';
import { network } from '../identity/guesses.js';

/** Addresses remembered, about 1 MB; one that is forgotten has its whole allowance again. */
const ADDRESSES = 10_000;

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
    const now = performance.now();
    const address = network(socket.remoteAddress ?? '');
    if (addresses.take(address, 1, now) === 0 && everybody.take('', 1, now) === 0) return;
    socket.destroy();
    refused(address);
  });
}
