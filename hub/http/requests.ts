import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Guesses } from '../identity/guesses.js';
import { nameOf } from '../identity/secrets.js';
import type { HttpContext } from './context.js';

/**
 * The id of each request in its answer, and a line of the log for each that changes something or was not let
 * in. Who is refused again and again fills no log: of one address there are as many lines as it may send
 * wrong tokens.
 */
export function nameRequests(
  app: FastifyInstance,
  { now, report }: Pick<HttpContext, 'now' | 'report'>,
): void {
  const refusals = new Guesses();
  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  app.addHook('onResponse', async (request, reply) => {
    if (!isWorthALine(request, reply)) return;
    if (reply.statusCode >= 400 && refusals.count(request.ip, now()) > 0) return;
    const { id, method, who, ip, routeOptions } = request;
    const asked = `${method} ${routeOptions.url ?? 'what is not there'}`;
    const by = who === null ? 'nobody known' : nameOf(who);
    report(`request ${id}: ${asked} by ${by} at ${ip}: ${reply.statusCode}`, { request: id });
  });
}

function isWorthALine({ method }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  return statusCode === 401 || statusCode === 403 || !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
}
