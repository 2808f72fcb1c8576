import { randomBytes } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance } from 'fastify';
import { limitConnections } from '../broker/connections.js';
import type { HttpContext } from './context.js';
import { dashboardRoutes } from './dashboard.js';
import { deviceRoutes } from './device-routes.js';
import { evaluationRoutes } from './evaluation-routes.js';
import { exceptionRoutes } from './exception-routes.js';
import { faults, refuseGarbage } from './faults.js';
import { monitoringRoutes } from './monitoring-routes.js';
import { operatorRoutes } from './operator-routes.js';
import { rolloutRoutes } from './rollout-routes.js';

const BODY_LIMIT = 64 * 1024;
const MODEL_LIMIT = 256 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 20_000;
const CHECK_MS = 5000;

export interface Route {
  readonly method: string;
  readonly url: string;
}

/** Shuts each door that is not opened: routes check a client certificate or a bearer token themselves. */
export async function buildHttp(
  context: HttpContext,
): Promise<{ app: FastifyInstance; routes: readonly Route[] }> {
  const { server, authority } = context;
  const answerFault = faults(context);
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: 120_000,
    forceCloseConnections: true,
    // Ours alone: a caller who could choose it could forge lines of the log.
    genReqId: () => randomBytes(8).toString('hex'),
    frameworkErrors: (error, request, reply) => void answerFault(error, request, reply),
    clientErrorHandler: refuseGarbage,
    https: {
      key: server.key,
      cert: server.certificate,
      ca: authority.certificate,
      requestCert: true,
      // What never says anything is held for seconds, not for minutes: a handshake, then the head of a request.
      handshakeTimeout: HANDSHAKE_MS,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: CHECK_MS,
      rejectUnauthorized: false,
      // Asked for below, where the refusal has a code.
      requireHostHeader: false,
    },
  });
  limitConnections(app.server, { all: 1000, each: 200 });
  // Node asks the handler of garbage, whose answer would wait for a handshake that never ends.
  app.server.on('tlsClientError', (_, socket) => socket.destroy());
  app.addHook('onRequest', async ({ raw: { rawHeaders } }) => {
    // RFC 9112 section 3.2. In `headers` the first of several hides the others.
    const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
    if (hosts !== 1)
      throw new AdbreakError(
        'input_invalid',
        `Cannot accept the request: it has ${hosts === 0 ? 'no' : hosts} Host${hosts > 1 ? 's' : ''}`,
      );
  });
  const routes: Route[] = [];
  app.addHook(
    'onRoute',
    ({ method, url }) => void routes.push(...[method].flat().map((one) => ({ method: one, url }))),
  );
  await app.register(multipart, {
    limits: { fileSize: MODEL_LIMIT, files: 1, fields: 1, fieldSize: BODY_LIMIT, parts: 2 },
  });
  app.setErrorHandler(answerFault);
  app.setNotFoundHandler((request) => {
    throw new AdbreakError('not_found', `There is nothing at ${request.method} ${request.url}`);
  });
  // Node would answer an Expect that it does not know without a body (RFC 9110 section 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.get('/healthz', async () => ({ ok: true }));
  deviceRoutes(app, context);
  operatorRoutes(app, context);
  rolloutRoutes(app, context);
  evaluationRoutes(app, context);
  exceptionRoutes(app, context);
  monitoringRoutes(app, context);
  dashboardRoutes(app);
  return { app: app as unknown as FastifyInstance, routes };
}
