import { AdbreakError, ERROR_CODES, explain } from '@adbreak/shared/errors.js';
import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance } from 'fastify';
import type { HttpContext } from './context.js';
import { dashboardRoutes } from './dashboard.js';
import { deviceRoutes } from './device-routes.js';
import { evaluationRoutes } from './evaluation-routes.js';
import { operatorRoutes } from './operator-routes.js';
import { rolloutRoutes } from './rollout-routes.js';

const BODY_LIMIT = 64 * 1024;
const MODEL_LIMIT = 256 * 1024 * 1024;

/** Shuts each door that is not opened: routes check a client certificate or a bearer token themselves. */
export async function buildHttp(context: HttpContext): Promise<FastifyInstance> {
  const { server, authority } = context;
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: 120_000,
    forceCloseConnections: true,
    https: { key: server.key, cert: server.certificate, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
  });
  await app.register(multipart, { limits: { fileSize: MODEL_LIMIT, files: 1, fields: 1, fieldSize: BODY_LIMIT, parts: 2 } });
  app.setErrorHandler((error, _, reply) => {
    if (error instanceof AdbreakError)
      return reply.code(ERROR_CODES[error.code].status).send({ error: error.code, message: error.message, remedy: error.remedy });
    const status = statusOf(error);
    // A fault of ours is told without its inside; a fault of the request in Fastify's own words.
    return reply.code(status).send({
      error: status >= 500 ? 'internal' : 'input_invalid',
      message: status >= 500 ? 'The hub failed; its log says why.' : explain(error),
      remedy: 'See docs/errors.md.',
    });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'not_found', message: `There is nothing at ${request.method} ${request.url}`, remedy: ERROR_CODES.not_found.remedy }),
  );
  app.get('/healthz', async () => ({ ok: true }));
  deviceRoutes(app, context);
  operatorRoutes(app, context);
  rolloutRoutes(app, context);
  evaluationRoutes(app, context);
  dashboardRoutes(app);
  return app as unknown as FastifyInstance;
}

function statusOf(error: unknown): number {
  if (typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return 500;
}
