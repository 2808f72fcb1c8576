import { Readable } from 'node:stream';
import { VERSION } from '@adbreak/shared/contract/manifest.js';
import { deviceId } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { productionOf } from '../fleet/desired.js';
import { authorize } from '../identity/secrets.js';
import { hoursOfRates, ratesOf } from '../monitoring/rates.js';
import { ORDERS } from '../rollouts/events.js';
import { totalOf } from '../rollouts/evidence.js';
import { forecast, forecastText } from '../rollouts/forecast.js';
import { type Difference, differenceOf } from '../rollouts/gate.js';
import { explainRollout, explanationText } from '../rollouts/report/explain.js';
import { type Entry, isActive, percentOf, ROLLOUT_ID, type Rollout } from '../rollouts/rollout.js';
import { episodesOf, standingOf } from '../rollouts/standing.js';
import type { StoredRollout } from '../store/state.js';
import type { HttpContext } from './context.js';
import { knownDevice, knownModel, modelName } from './names.js';
import { askedPlan, planFor, planOf } from './plans.js';

const path = z.object({ id: z.string().regex(ROLLOUT_ID) });
const reason = z.string().trim().min(1).max(500);
const orderBody = z.strictObject({
  reason: reason.default('no reason given'),
  percent: z.number().min(0).max(100).optional(),
});
/** What goes past the gate or back says why. */
const forceBody = z.strictObject({ reason });
const rollbackBody = z.strictObject({ reason, plan: askedPlan });
const compareBody = z.strictObject({
  model: modelName,
  versions: z.array(z.string().regex(VERSION)).min(2).max(5),
  plan: askedPlan,
});
const planBody = z.strictObject({ model: modelName, plan: askedPlan });
const tag = z
  .string()
  .regex(/^[a-z0-9_-]{1,60}$/, 'must be lower-case letters, digits, dashes and underscores');
const few = (tags: object) => Object.keys(tags).length <= 50;
const tagsBody = z.strictObject({
  tags: z.record(tag, z.string().min(1).max(60)).refine(few, 'a device has at most 50 tags'),
});
const tagChanges = z.strictObject({
  tags: z.record(tag, z.string().min(1).max(60).nullable()).refine(few, 'at most 50 tags at once'),
});

/** Rollouts: what they do, why, and what people order. */
export function rolloutRoutes(
  app: Pick<FastifyInstance, 'get' | 'post' | 'put' | 'patch'>,
  context: HttpContext,
): void {
  const { store, executor, plans, now, log } = context;
  const id = (params: unknown) => check(path, params, 'the path').id;
  /** The stage says who may approve it. */
  const requireApprover = ({ plan: { stages }, stage }: Rollout, authorization: string | undefined) =>
    authorize(store.state, authorization, stages[stage]?.approve ?? 'operator');

  app.get('/api/v1/rollouts/:id', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    return view(executor.find(id(request.params)));
  });
  app.get('/api/v1/rollouts/:id/explain', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const explanation = explainRollout(executor.find(id(request.params)), now());
    return { ...explanation, text: explanationText(explanation) };
  });
  /** The event log, for `adbreak rollouts replay`. */
  app.get('/api/v1/rollouts/:id/events', async (request, reply) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    return reply
      .type('application/x-ndjson')
      .send(Readable.from(await log.lines(executor.find(id(request.params)).id)));
  });
  for (const order of ORDERS) {
    if (order === 'supersede') continue;
    app.post(`/api/v1/rollouts/:id/${order}`, async (request) => {
      // Past the gate only with the highest role, and with a reason.
      const who = authorize(
        store.state,
        request.headers.authorization,
        order === 'force' ? 'admin' : 'operator',
      );
      if (order === 'force')
        return view(
          await executor.order(
            id(request.params),
            order,
            who,
            check(forceBody, request.body ?? {}, 'the order force').reason,
          ),
        );
      if (order === 'approve')
        requireApprover(executor.find(id(request.params)), request.headers.authorization);
      const body = check(orderBody, request.body ?? {}, `the order ${order}`);
      return view(await executor.order(id(request.params), order, who, body.reason, body.percent));
    });
  }
  app.post('/api/v1/rollouts/:id/rollback', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const body = check(rollbackBody, request.body ?? {}, 'the rollback');
    const rollout = executor.find(id(request.params));
    const plan = await planFor(context, request, body.plan, {
      otherwise: plans.rollback,
      subject: rollout.id,
    });
    return reply.code(201).send(view(await executor.rollback(rollout.id, plan, who, body.reason)));
  });
  app.post('/api/v1/rollouts/compare', async (request, reply) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const body = check(compareBody, request.body, 'the comparison');
    knownModel(store.state, body.model, 'compare versions of');
    const plan = await planFor(context, request, body.plan, {
      otherwise: plans.promote,
      subject: `${body.model} ${body.versions.join(' ')}`,
    });
    if (plan.evidence === 'no-harm')
      throw new AdbreakError(
        'conflict',
        `Cannot compare by the plan ${plan.name}: a plan without proof of being no worse is for going back only`,
        {
          remedy: 'Use another plan: `adbreak rollouts plans`.',
        },
      );
    return reply
      .code(201)
      .send({ rollouts: (await executor.compare(body.model, body.versions, plan, who)).map(view) });
  });
  /** The hub's own plans, which an operator may use by their names. */
  app.get('/api/v1/plans', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    return { promote: plans.promote.name, rollback: plans.rollback.name, plans: [...plans.named.values()] };
  });
  /** Before anything moves: who would move when, and how long the gates would take. */
  app.post('/api/v1/rollouts/plan', async (request) => {
    authorize(store.state, request.headers.authorization, 'viewer');
    const body = check(planBody, request.body, 'the plan');
    // Nothing moves by a forecast, so a plan of one's own may be tried by anybody who may look.
    const rules = planOf(plans, body.plan, plans.promote);
    const members = Object.values(store.state.devices).filter(
      (device) => device.model === body.model && !device.revoked,
    );
    const digest = productionOf(store.state, body.model)?.digest ?? '';
    const week = await store.rollups.means(digest, ...hoursOfRates(now()));
    const made = forecast(rules, members, ratesOf(store.state, body.model, week));
    return { ...made, text: forecastText(rules, made) };
  });
  /** PUT replaces a device's tags; PATCH changes those named, and takes one away where the value is null. */
  app.put('/api/v1/devices/:id/tags', async (request) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const device = check(z.object({ id: deviceId }), request.params, 'the path').id;
    const { tags } = check(tagsBody, request.body, 'the tags');
    knownDevice(store.state, device, 'tag');
    return executor.tag(device, tags, who);
  });
  app.patch('/api/v1/devices/:id/tags', async (request) => {
    const who = authorize(store.state, request.headers.authorization, 'operator');
    const device = check(z.object({ id: deviceId }), request.params, 'the path').id;
    const { tags } = check(tagChanges, request.body, 'the tags');
    const merged = new Map<string, string | null>([
      ...Object.entries(knownDevice(store.state, device, 'tag').tags),
      ...Object.entries(tags),
    ]);
    const kept = Object.fromEntries([...merged].filter(([, value]) => value !== null));
    return executor.tag(device, check(tagsBody, { tags: kept }, 'the tags').tags, who);
  });
}

/** The candidate's difference with its confidence sequence, as of the gate's last look. Pages ask every two seconds: it is made once a look. */
const differences = new WeakMap<Entry, Difference | null>();
function differenceView(rollout: Rollout) {
  if (rollout.last === null) return null;
  if (!isActive(rollout)) return rollout.summary?.difference ?? null;
  const known = differences.get(rollout.last) ?? differenceOf(standingOf(rollout), rollout.plan);
  differences.set(rollout.last, known);
  return known;
}

/** A rollout for people: without the bulk that only the gate needs, and the store's own note. */
export function view(rollout: Rollout & Partial<Pick<StoredRollout, 'seen'>>) {
  const {
    seen: _____,
    drift: _,
    windowsBefore: __,
    baseline: ___,
    placed: ____,
    evidence,
    ...rest
  } = rollout;
  return {
    ...rest,
    evidence: Object.fromEntries(
      Object.entries(evidence.devices).map(
        ([device, { own, episodes, windows, waiting, cluster, control }]) => [
          device,
          { ...totalOf(own), episodes, windows, waiting, cluster, control },
        ],
      ),
    ),
    percent: percentOf(rollout),
    difference: differenceView(rollout),
    episodes: Math.round(isActive(rollout) ? episodesOf(rollout) : (rollout.summary?.episodes ?? 0)),
    stageName: rollout.plan.stages[rollout.stage]?.name ?? '',
  };
}
