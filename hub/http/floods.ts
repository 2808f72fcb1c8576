import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Allowance, TokenBuckets } from '@adbreak/shared/token-bucket.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Places } from '../broker/places.js';
import { network, TooSoon } from '../identity/guesses.js';
import { nameOf } from '../identity/secrets.js';

const MIB = 2 ** 20;

/** What whoever reaches the hub's HTTP may cost it, before and after it is known who asks. docs/decisions/018. */
export const HTTP_LIMITS = {
  /** Connections in whatever state; browsers have six each, agents one or two. */
  connections: { all: 1000, each: 200, kept: 200 },
  /** Of one device: it asks for one thing after the other. */
  connectionsOfDevice: 16,
  /** Requests under way on one connection. Browsers and our own client have one; what is pipelined is made in vain. */
  requestsOfConnection: 4,
  /** Of one network, where nobody has said who asks: pages, health, enrolment, the API's description. */
  strangers: { burst: 300, perSecond: 20 },
  /** Bytes of answers that somebody has asked for and does not take: the next one is not made then. */
  unread: 32 * MIB,
  /** For a client to take some of an answer, or to ask something; milliseconds. */
  idleMs: 30_000,
} as const;
const NETWORKS = 10_000;

/** Hears of a connection that was ended without an answer. */
export type Ended = (socket: Socket, error: AdbreakError) => void;

/**
 * Ends a connection on which more requests are under way than a client has that waits for its answers. Tells
 * the places which connections are asking something.
 */
export function limitPipelining(app: FastifyInstance, places: Places, ended: Ended): Requests {
  const underWay = new Requests();
  app.addHook('onRequest', async ({ raw: { socket } }, reply) => {
    const count = underWay.begin(socket);
    if (count === 1) places.mark(socket, true);
    reply.raw.once('close', () => {
      if (underWay.end(socket) === 0) places.mark(socket, false);
    });
    if (count <= HTTP_LIMITS.requestsOfConnection) return;
    const error = new AdbreakError(
      'too_many_requests',
      `Cannot answer: more than ${HTTP_LIMITS.requestsOfConnection} requests are under way on one connection`,
      { remedy: 'Wait for each answer before the next request, or open another connection.' },
    );
    // All that came with it in one piece is thrown away here, too.
    if (!socket.destroyed) ended(socket, error);
    socket.destroy();
    throw error;
  });
  return underWay;
}

/** How many requests of each connection are not answered yet. */
class Requests {
  readonly #counts = new WeakMap<Socket, number>();

  begin(socket: Socket): number {
    return this.#add(socket, 1);
  }
  end(socket: Socket): number {
    return this.#add(socket, -1);
  }
  of(socket: Socket): number {
    return this.#counts.get(socket) ?? 0;
  }
  #add(socket: Socket, more: number): number {
    const count = this.of(socket) + more;
    this.#counts.set(socket, count);
    return count;
  }
}

/**
 * Ends a connection that takes nothing of its answer, or asks nothing, for a while. One whose answer is still
 * being made is left, however long that takes.
 */
export function endIdle(
  server: Server,
  underWay: Requests,
  ended: Ended,
  ms: number = HTTP_LIMITS.idleMs,
): void {
  server.setTimeout(ms, (socket: Socket) => {
    if (socket.writableLength > 0)
      ended(
        socket,
        new AdbreakError(
          'timed_out',
          `Cannot go on: the client does not read its answer; ${socket.writableLength} bytes wait for it`,
        ),
      );
    else if (underWay.of(socket) > 0) return;
    socket.destroy();
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

/** What waits for each who asks, over all of their connections. */
export class Unread {
  readonly #limit: number;
  readonly #sockets = new Map<string, Set<Socket>>();

  constructor(limit: number = HTTP_LIMITS.unread) {
    this.#limit = limit;
  }

  /** Before an answer is made. Throws TooSoon where they take nothing of those before. */
  look({ ip, who, raw: { socket } }: Pick<FastifyRequest, 'ip' | 'who' | 'raw'>): void {
    const caller = who === null ? network(ip) : nameOf(who);
    const own = this.#sockets.get(caller) ?? new Set();
    const bytes = [...own].reduce((sum, { writableLength }) => sum + writableLength, 0);
    if (bytes > this.#limit)
      throw new TooSoon(`Cannot answer: ${bytes} bytes of earlier answers were not read yet`, 1);
    if (own.has(socket)) return;
    this.#sockets.set(caller, own.add(socket));
    socket.once('close', () => {
      own.delete(socket);
      if (own.size === 0 && this.#sockets.get(caller) === own) this.#sockets.delete(caller);
    });
  }
}
