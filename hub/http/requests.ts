import { explain } from '@adbreak/shared/errors.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Guesses, plainAddress } from '../identity/guesses.js';
import { nameOf } from '../identity/secrets.js';
import type { AuditEntry } from '../store/store.js';
import type { HttpContext } from './context.js';
import type { RefusedAttempts } from './refused.js';

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

/** Who was not let in, or whose role did not allow it, into the audit log, as far as its budget goes. */
export function auditRefusals(
  app: FastifyInstance,
  refused: RefusedAttempts,
  { store, now, report }: Pick<HttpContext, 'store' | 'now' | 'report'>,
): void {
  app.addHook('onResponse', async (request, { statusCode }) => {
    const { id, method, url, who, ip, routeOptions, fault } = request;
    if (!isRefusal(statusCode, who)) return;
    const attempt = {
      who: who === null ? null : nameOf(who),
      from: plainAddress(ip),
      request: id,
      asked: `${method} ${routeOptions.url ?? url.slice(0, LONGEST_URL)}`,
      code: fault ?? 'forbidden',
    };
    await writeRefusals({ store, report }, refused.take(attempt, now()));
  });
}
const LONGEST_URL = 200;

/** Not known, not allowed, or too many wrong tokens; who is known and only asks too often is not refused for what it is. */
function isRefusal(status: number, who: FastifyRequest['who']): boolean {
  return status === 401 || status === 403 || (status === 429 && who === null);
}

/** A refusal that cannot be written is no fault of who was refused. */
export async function writeRefusals(
  { store, report }: Pick<HttpContext, 'store' | 'report'>,
  entries: readonly AuditEntry[],
): Promise<void> {
  for (const entry of entries)
    await store
      .change(() => undefined, entry)
      .catch((error: unknown) => {
        report(`audit: ${explain(error)}`, { error });
      });
}

function isWorthALine({ method }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  return statusCode === 401 || statusCode === 403 || !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
}
