import { z } from 'zod';
import { instant, ok } from './common.js';
import { contract } from './contract.js';
import { deviceEvent, deviceView } from './devices.js';
import { evaluationView } from './evaluations.js';
import { modelView } from './models.js';
import { rolloutView } from './rollout-view.js';

const health = contract({
  method: 'GET',
  path: '/healthz',
  access: 'public',
  summary: 'The hub answers.',
  answer: ok,
});
const overview = contract({
  method: 'GET',
  path: '/api/v1/overview',
  access: 'viewer',
  summary: 'Everything that the operator’s page shows.',
  answer: z.object({
    at: instant,
    devices: z.array(deviceView),
    models: z.record(z.string(), modelView),
    rollouts: z.array(rolloutView),
    evaluations: z.array(evaluationView),
    /** The last ones, oldest first. */
    events: z.array(deviceEvent),
  }),
});
const dashboard = contract({
  method: 'GET',
  path: '/',
  access: 'public',
  summary: 'The operator’s page. It holds no data; it asks the API with the token of who looks.',
  answer: { media: 'text/html; charset=utf-8', holds: 'a page' },
});
const monitoring = contract({
  ...dashboard,
  path: '/api/v1/monitoring',
  summary: 'The same page, at the address that existing scripts print.',
});
const openapi = contract({
  method: 'GET',
  path: '/api/v1/openapi.json',
  access: 'public',
  summary: 'This API as OpenAPI 3.1.',
  answer: z.looseObject({ openapi: z.string() }),
});
const reference = contract({
  method: 'GET',
  path: '/api/v1/reference',
  access: 'public',
  summary: 'This API as a page, with every error code.',
  answer: { media: 'text/html; charset=utf-8', holds: 'a page' },
});

export const hub = { health, overview, dashboard, monitoring, openapi, reference };
