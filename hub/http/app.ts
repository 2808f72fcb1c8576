import { AdbreakError } from '@adbreak/shared/errors.js';
import Fastify, { type FastifyInstance } from 'fastify';
import { Complaints } from '../broker/faults.js';
import { guard } from './access.js';
import { auditRoutes } from './audit-routes.js';
import { commandRoutes } from './command-routes.js';
import { boundConnections, boundHandshakes } from './connections.js';
import type { HttpContext } from './context.js';
import { deviceAdminRoutes } from './device-admin-routes.js';
import { deviceRoutes, type Enrolments, enrolments } from './device-routes.js';
import { Downloads } from './downloads.js';
import { evaluationRoutes } from './evaluation-routes.js';
import { exceptionRoutes } from './exception-routes.js';
import { faults, refuseGarbage, requestId } from './faults.js';
import { HTTP_LIMITS, Strangers, Unread } from './floods.js';
import { acceptFields, acceptForms } from './form.js';
import { refuseStrangers } from './loopback.js';
import { modelRoutes, uploadTurns } from './model-routes.js';
import { monitoringRoutes } from './monitoring-routes.js';
import { operatorRoutes } from './operator-routes.js';
import { pageRoutes } from './page-routes.js';
import { RefusedAttempts } from './refused.js';
import { auditRefusals, nameRequests, writeRefusals } from './requests.js';
import { rolloutRoutes } from './rollout-routes.js';
import { registerOn } from './route.js';
import { sessionRoutes } from './session-routes.js';
import { tokenRoutes } from './token-routes.js';
import { trainingRoutes, trainingTurns } from './training-routes.js';
import type { Turns } from './turns.js';
import { userRoutes } from './user-routes.js';
import { versionRoutes } from './version-routes.js';

const BODY_LIMIT = 64 * 1024;
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 20_000;
const CHECK_MS = 5000;

export interface Route {
  readonly method: string;
  readonly url: string;
}
/** What both servers must have in common, or who is turned away at one would try the other. */
interface Common {
  /** It counts wrong tokens. */
  readonly answerFault: ReturnType<typeof faults>;
  /** They know which claims are being used. */
  readonly claims: Enrolments;
  /** They count who was refused. */
  readonly refused: RefusedAttempts;
  /** They count what those cost whom nobody knows, and what nobody reads. */
  readonly strangers: Strangers;
  readonly unread: Unread;
  /** Whose turn it is to fetch a model, or to send one. */
  readonly downloads: Downloads;
  readonly uploads: Turns;
  /** Whose turn it is to have a training looked at. */
  readonly trainings: Turns;
  /** The log's lines about connections that were ended without an answer. */
  readonly complaints: Complaints;
}
export interface Http {
  /** The hub's HTTPS, for everybody. */
  readonly app: FastifyInstance;
  /** What it answers. */
  readonly routes: readonly Route[];
  /** The same routes in the clear, for the loopback alone: scripts of this machine, and its browser. */
  readonly plain: () => Promise<FastifyInstance>;
  /** Writes what was counted of refused attempts in hours that are over; in this one too where the hub stops (`all`). */
  readonly settleRefusals: (all?: boolean) => Promise<void>;
}

export async function buildHttp(context: HttpContext): Promise<Http> {
  const refused = new RefusedAttempts();
  const common: Common = {
    answerFault: faults(context),
    claims: enrolments(context),
    refused,
    strangers: new Strangers(),
    unread: new Unread(),
    downloads: new Downloads(context.quotas),
    uploads: uploadTurns(),
    trainings: trainingTurns(),
    complaints: new Complaints(context.report),
  };
  return {
    ...(await buildSecure(context, common)),
    plain: () => buildPlain(context, common),
    settleRefusals: (all) => writeRefusals(context, refused.settle(context.now(), all)),
  };
}

async function buildSecure(context: HttpContext, common: Common): Promise<Pick<Http, 'app' | 'routes'>> {
  const { server, authority } = context;
  const app = Fastify({
    ...optionsOf(common),
    https: {
      ...HEADS,
      key: server.key,
      cert: server.certificate,
      ca: authority.certificate,
      requestCert: true,
      // What never says anything is held for seconds, not for minutes: a handshake, then the head of a request.
      handshakeTimeout: HANDSHAKE_MS,
      rejectUnauthorized: false,
    },
  }) as unknown as FastifyInstance;
  // Node asks the handler of garbage, whose answer would wait for a handshake that never ends.
  app.server.on('tlsClientError', (_, socket) => socket.destroy());
  boundHandshakes(app.server, common.complaints);
  return { app, routes: await furnish(app, context, common) };
}

async function buildPlain(context: HttpContext, common: Common): Promise<FastifyInstance> {
  const app = Fastify({ ...optionsOf(common), http: HEADS });
  refuseStrangers(app);
  await furnish(app, context, common);
  return app;
}

const HEADS = {
  headersTimeout: HEADERS_MS,
  connectionsCheckingInterval: CHECK_MS,
  // Asked for below, where the refusal has a code.
  requireHostHeader: false,
};
function optionsOf({ answerFault }: Common) {
  return {
    bodyLimit: BODY_LIMIT,
    requestTimeout: 120_000,
    keepAliveTimeout: HTTP_LIMITS.idleMs,
    forceCloseConnections: true,
    genReqId: requestId,
    frameworkErrors: (...[error, request, reply]: Parameters<typeof answerFault>) =>
      void answerFault(error, request, reply),
    clientErrorHandler: refuseGarbage,
  };
}

/**
 * Limits, doors and routes. A route without a contract, or a contract that says nothing of who may call it,
 * ends the start.
 */
async function furnish(
  app: FastifyInstance,
  context: HttpContext,
  common: Common,
): Promise<readonly Route[]> {
  const { answerFault, claims, refused, downloads, uploads, trainings } = common;
  const places = boundConnections(app, context, common.complaints);
  nameRequests(app, context);
  auditRefusals(app, refused, context);
  app.addHook('onRequest', async ({ raw: { rawHeaders }, headers }) => {
    // Node would answer as if nobody had asked for one, and CORS does not hold for them (RFC 6455 section 10.2).
    if (/\bwebsocket\b/i.test(headers.upgrade ?? ''))
      throw new AdbreakError('input_invalid', 'Cannot open a WebSocket: the hub has none', {
        remedy: 'Use the HTTP API, or MQTT for what is told as it happens: docs/protocol/operators.md.',
      });
    // RFC 9112 section 3.2. In `headers` the first of several hides the others.
    const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
    if (hosts !== 1)
      throw new AdbreakError(
        'input_invalid',
        `Cannot accept the request: it has ${hosts === 0 ? 'no' : hosts} Host${hosts > 1 ? 's' : ''}`,
      );
  });
  guard(app, context, common);
  app.addHook('onRequest', async ({ who, raw: { socket } }) => {
    if (who !== null) places.know(socket);
  });
  const routes: Route[] = [];
  app.addHook(
    'onRoute',
    ({ method, url }) => void routes.push(...[method].flat().map((one) => ({ method: one, url }))),
  );
  await acceptForms(app);
  acceptFields(app);
  app.setErrorHandler(answerFault);
  app.setNotFoundHandler((request) => {
    throw new AdbreakError('not_found', `There is nothing at ${request.method} ${request.url}`);
  });
  // Node would answer an Expect that it does not know without a body (RFC 9110 section 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  const register = registerOn(app, context.strict);
  pageRoutes(register, context);
  deviceRoutes(register, context, { claims, downloads });
  modelRoutes(register, context, uploads);
  versionRoutes(register, context);
  rolloutRoutes(register, context);
  evaluationRoutes(register, context);
  exceptionRoutes(register, context);
  monitoringRoutes(register, context);
  trainingRoutes(register, context, trainings);
  tokenRoutes(register, context);
  userRoutes(register, context);
  sessionRoutes(register, context);
  operatorRoutes(register, context);
  commandRoutes(register, context);
  deviceAdminRoutes(register, context);
  auditRoutes(register, context);
  return routes;
}
