import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

/** Styles and script are inline and hashed away by this policy's exactness: nothing is loaded from anywhere. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The operator's page: fleet, rollout, evidence. It holds no data; it asks the API with the token of who looks. */
export function dashboardRoutes(app: Pick<FastifyInstance, 'get'>): void {
  const page = readFileSync(new URL('../../http/dashboard.html', import.meta.url), 'utf8');
  app.get('/', (_, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(page),
  );
}
