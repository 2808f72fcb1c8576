import { check } from '@adbreak/shared/contract/parse.js';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { exceptionsOf } from '../fleet/exceptions.js';
import { exceptionsText, liftText } from '../fleet/exceptions-text.js';
import { liftException } from '../fleet/lift.js';
import { authorize } from '../identity/secrets.js';
import { channelKey } from '../rollouts/slices.js';
import type { HttpContext } from './context.js';
import { knownModel, modelName } from './names.js';

const path = z.object({ name: modelName });
const exceptionName = z
  .string()
  .max(130)
  .regex(/^(channel|site|hardware|device)=/, 'must be channel=NAME, site=NAME, hardware=NAME or device=ID')
  .transform((name) =>
    name.startsWith('channel=') ? `channel=${channelKey(name.slice('channel='.length))}` : name,
  );
const liftBody = z.strictObject({
  name: exceptionName,
  reason: z.string().trim().min(1).max(500).default('no reason given'),
});

/** What stays on an earlier version though the fleet went on, and a person's word that ends it. */
export function exceptionRoutes(app: Pick<FastifyInstance, 'get' | 'post'>, context: HttpContext): void {
  const { store } = context;

  app.get('/api/v1/models/:name/exceptions', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const { name } = check(path, request.params, 'the path');
    knownModel(store.state, name, 'list the exceptions of');
    const all = exceptionsOf(store.state, name);
    return { ...all, text: exceptionsText(all) };
  });
  app.post('/api/v1/models/:name/exceptions/lift', async (request) => {
    // Past the gate, as `force` is: it may have found the version worse there.
    const who = authorize(store.state, request.headers.authorization, 'admin', 'lifting an exception');
    const { name: model } = check(path, request.params, 'the path');
    const { name, reason } = check(liftBody, request.body ?? {}, 'the lift');
    knownModel(store.state, model, 'lift an exception of');
    const lift = await liftException(context, { model, name, who, reason });
    return { model, ...lift, text: liftText(model, lift) };
  });
}
