import type { Socket } from 'node:net';
import type { Allowance } from '@adbreak/shared/token-bucket.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { network, TooSoon } from '../identity/guesses.js';

/** What whoever reaches the hub's HTTP may cost it, before and after it is known who asks. docs/decisions/018. */
export const HTTP_LIMITS = {
  /** Requests under way on one connection. Browsers and our own client have one; what is pipelined is made in vain. */
  requestsOfConnection: 4,
  /** Of one network, where nobody has said who asks: pages, health, enrolment, the API's description. */
  strangers: { burst: 300, perSecond: 20 },
  /** For a client to take some of an answer, or to give some of a request; milliseconds. */
  idleMs: 30_000,
} as const;
const NETWORKS = 10_000;

/** Ends a connection on which more requests are under way than a client has that waits for its answers. */
export function limitPipelining(app: FastifyInstance): void {
  const underWay = new WeakMap<Socket, number>();
  app.addHook('onRequest', async ({ raw: { socket } }, reply) => {
    const count = (underWay.get(socket) ?? 0) + 1;
    underWay.set(socket, count);
    reply.raw.once('close', () => underWay.set(socket, (underWay.get(socket) ?? 1) - 1));
    if (count > HTTP_LIMITS.requestsOfConnection) socket.destroy();
  });
}

/** How often strangers of a network are answered. Throws TooSoon. */
export class Strangers {
  readonly #buckets: TokenBuckets;

  constructor(allowance: Allowance = HTTP_LIMITS.strangers) {
    this.#buckets = new TokenBuckets(allowance, NETWORKS);
  }

  take({ ip }: Pick<FastifyRequest, 'ip'>): void {
    const wait = this.#buckets.take(network(ip), 1, performance.now());
    if (wait > 0)
      throw new TooSoon(
        'Cannot answer: too many requests came from this network without a token',
        Math.ceil(wait / 1000),
      );
  }
}
