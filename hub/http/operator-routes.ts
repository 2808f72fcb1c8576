import { VERSION } from '@adbreak/shared/contract/manifest.js';
import { deviceId } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { forgettable } from '../identity/claims.js';
import { authorize, newSecret } from '../identity/secrets.js';
import { ROLES } from '../store/state.js';
import type { HttpContext } from './context.js';
import { roundView } from './evaluation-routes.js';
import { knownDevice, knownModel, modelName, newDevice, newModel } from './names.js';
import { askedPlan, planFor } from './plans.js';
import { view } from './rollout-routes.js';

/** The seed system's promote body (production-ml-model-training-guide.txt), and a plan if one is wanted. */
const promoteBody = z.object({
  is_production: z.boolean().optional(),
  status: z.enum(['production', 'canary']).default('production'),
  rollout_percentage: z.number().gt(0).max(100).default(100),
  plan: askedPlan,
  /** Ends the rollout of another version that is running. */
  supersede: z.boolean().default(false),
});
const claimBody = z.object({
  device: newDevice.nullable().default(null),
  hours: z
    .number()
    .positive()
    .max(24 * 366)
    .default(72),
  count: z.int().min(1).max(1000).default(1),
});
const tokenBody = z.object({ id: z.string().regex(/^[a-z0-9-]{1,40}$/), role: z.enum(ROLES) });
const names = z.object({
  name: modelName,
  version: z.union([z.string().regex(VERSION, 'must be MAJOR.MINOR.PATCH'), z.literal('production')]),
});

/** A claim is remembered until a day after its end, used or not. */
const CLAIMS_LIMIT = 10_000;

/** What people and scripts do, with a bearer token and a role. */
export function operatorRoutes(
  app: Pick<FastifyInstance, 'get' | 'post' | 'put'>,
  context: HttpContext,
): void {
  const { store, registry, executor, broker, now } = context;

  app.get('/api/v1/overview', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const { devices, models, rollouts, evaluations } = store.state;
    return {
      at: now().toISOString(),
      devices: Object.values(devices).map(({ fingerprint: _, renewal: __, ...device }) => ({
        ...device,
        behindSince: executor.behindSince(device.id)?.toISOString() ?? null,
      })),
      models,
      rollouts: rollouts.map(view),
      evaluations: evaluations.map(roundView),
      events: context.events.slice(-50),
    };
  });

  app.put('/api/v1/models/:name/versions/:version', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const { name, version } = check(names.extend({ name: newModel }), request.params, 'the path');
    const { manifest, model } = await readForm(request);
    const facts = await registry.register(model, Buffer.from(manifest), who, { name, version });
    return reply.code(201).send({ name: facts.name, version: facts.version, digest: facts.digest });
  });
  app.post('/api/v1/models/:name/versions/:version/promote', async (request) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const { name, version } = check(names, request.params, 'the path');
    const body = check(promoteBody, request.body ?? {}, 'the promote call');
    knownModel(store.state, name, 'promote');
    const rollout = await executor.promote({
      model: name,
      version,
      percent: body.rollout_percentage,
      plan: await planFor(context, request, body.plan, {
        otherwise: context.plans.promote,
        subject: `${name} ${version}`,
      }),
      supersede: body.supersede,
      who,
    });
    return {
      model_name: name,
      version,
      rollout: rollout === null ? null : view(rollout),
      production: ownValue(store.state.models, name)?.production ?? null,
    };
  });
  app.get('/api/v1/models/:name/versions/:version/download', async (request, reply) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const { name, version } = check(names, request.params, 'the path');
    const entry = knownModel(store.state, name, 'download');
    const wanted = version === 'production' ? entry.production : version;
    const facts = wanted === null ? undefined : ownValue(entry.versions, wanted)?.manifest;
    const bytes = facts === undefined ? undefined : await registry.artifact(facts.digest);
    if (facts === undefined || bytes === undefined)
      throw new AdbreakError('not_found', `Cannot download ${name} ${version}: there is no such version`);
    return reply
      .type('application/octet-stream')
      .header('content-disposition', `attachment; filename="${name}.tflite"`)
      .header('etag', `"${facts.digest}"`)
      .header('x-model-version', facts.version)
      .send(bytes);
  });

  app.post('/api/v1/claims', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const { device, hours, count } = check(claimBody, request.body ?? {}, 'the claim');
    const expires = new Date(now().getTime() + hours * 3_600_000).toISOString();
    const old = forgettable(store.state.claims, now());
    const kept = Object.keys(store.state.claims).length - old.length;
    if (kept + count > CLAIMS_LIMIT)
      throw new AdbreakError(
        'conflict',
        `Cannot make ${count} claims: ${kept} are remembered, at most ${CLAIMS_LIMIT}`,
        {
          remedy:
            'Use those that were made, or wait until they have expired; a shorter life (`--hours`) makes room sooner.',
        },
      );
    const made = Array.from({ length: count }, () => newSecret('claim'));
    await store.change(
      ({ claims }) => {
        for (const hash of old) delete claims[hash];
        for (const { hash } of made)
          claims[hash] = { hash, device, expires, usedBy: null, certificate: null };
      },
      { who, what: 'claim.create', subject: device ?? 'any', after: { count, expires } },
    );
    return reply.code(201).send({ tokens: made.map(({ secret }) => secret), expires });
  });
  app.post('/api/v1/tokens', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'admin');
    const { id, role } = check(tokenBody, request.body, 'the token');
    if (store.state.tokens.some((token) => token.id === id))
      throw new AdbreakError('conflict', `Cannot create token ${id}: there is one of this name`);
    const { secret, hash } = newSecret('token');
    await store.change((state) => void state.tokens.push({ id, hash, role, created: now().toISOString() }), {
      who,
      what: 'token.create',
      subject: id,
      after: { role },
    });
    return reply.code(201).send({ token: secret });
  });
  app.post('/api/v1/devices/:id/revoke', async (request) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const { id } = check(z.object({ id: deviceId }), request.params, 'the path');
    knownDevice(store.state, id, 'revoke');
    await store.change(
      (state) => {
        const device = ownValue(state.devices, id);
        if (device !== undefined) device.revoked = true;
      },
      { who, what: 'device.revoke', subject: id },
    );
    broker.disconnect(id);
    return { id, revoked: true };
  });
}

/** The form of a new version. What the parser cannot read is the form's fault, whatever it throws: nothing of ours is asked yet. */
async function readForm(request: FastifyRequest): Promise<{ manifest: string; model: Buffer }> {
  let manifest = '';
  let model: Buffer | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') model = await part.toBuffer();
      else if (part.fieldname === 'manifest' && typeof part.value === 'string') manifest = part.value;
    }
  } catch (cause) {
    if (cause instanceof Error && 'statusCode' in cause) throw cause;
    throw new AdbreakError('input_invalid', `Cannot register: the form is broken: ${explain(cause)}`, {
      cause,
    });
  }
  if (model === undefined)
    throw new AdbreakError(
      'input_invalid',
      'Cannot register: the form needs a field `manifest` and a file `model`',
    );
  return { manifest, model };
}
