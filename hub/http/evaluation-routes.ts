import { VERSION } from '@adbreak/shared/contract/manifest.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { ROUND_ID } from '@adbreak/shared/contract/rounds.js';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Round, resultOf } from '../evaluations/round.js';
import { evaluationText } from '../evaluations/text.js';
import { authorize } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownModel, modelName } from './names.js';

const names = z.array(z.string().min(1).max(60)).min(1).max(50);
const startBody = z.strictObject({
  model: modelName,
  candidate: z.string().regex(VERSION),
  against: z.string().regex(VERSION).optional(),
  where: z
    .strictObject({
      channel: names.optional(),
      site: names.optional(),
      hardware: names.optional(),
      tags: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  quorum: z.int().min(2).max(1_000_000).default(10),
  hours: z
    .number()
    .positive()
    .max(24 * 60)
    .default(24),
  /** A cell is shown only with so many devices behind it; a small site says a smaller number, knowing what it does. */
  min_devices: z.int().min(1).max(1000).default(10),
  secure: z.boolean().default(false),
  epsilon: z.number().gt(0).max(100).nullable().default(null),
});

/** Federated rounds by hand, and their history. */
export function evaluationRoutes(
  app: Pick<FastifyInstance, 'get' | 'post'>,
  { store, evaluations }: HttpContext,
): void {
  const id = (params: unknown) => check(z.object({ id: z.string().regex(ROUND_ID) }), params, 'the path').id;

  app.post('/api/v1/evaluations', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const { min_devices, ...body } = check(startBody, request.body, 'the round');
    knownModel(store.state, body.model, 'evaluate');
    return reply
      .code(201)
      .send(roundView(await evaluations.start({ ...body, minDevices: min_devices, who, rollout: null })));
  });
  app.get('/api/v1/evaluations', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    return { evaluations: store.state.evaluations.map(roundView) };
  });
  app.get('/api/v1/evaluations/:id', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const round = evaluations.find(id(request.params));
    return { ...roundView(round), text: evaluationText(round, resultOf(round)) };
  });
  app.post('/api/v1/evaluations/:id/cancel', async (request) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    return roundView(await evaluations.cancel(id(request.params), who));
  });
}

/** A round with its result; single devices' answers stay inside. */
export function roundView(round: Round) {
  const { answers, sum: _, cohort, ...rest } = round;
  return { ...rest, asked: cohort, answered: Object.keys(answers), result: resultOf(round) };
}
