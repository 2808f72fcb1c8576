import { Readable } from 'node:stream';
import { rollouts } from '@adbreak/shared/contract/http/rollouts.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { planFor, planOf } from '../commands/plans.js';
import { productionOf } from '../fleet/desired.js';
import { devicesOf } from '../fleet/members.js';
import { nameOf, requireRole } from '../identity/secrets.js';
import { hoursOfRates, ratesOf } from '../monitoring/rates.js';
import { forecast, forecastText, type StageForecast } from '../rollouts/forecast.js';
import { usualPlan } from '../rollouts/lifecycle/plans.js';
import { explainRollout, explanationText } from '../rollouts/report/explain.js';
import { smallFleet } from '../rollouts/small-fleet.js';
import type { HttpContext } from './context.js';
import { knownModel } from './names.js';
import { view } from './rollout-view.js';
import type { Register } from './route.js';

/** Rollouts: what they do, why, and what people order. */
export function rolloutRoutes(register: Register, context: HttpContext): void {
  const { executor, log, now } = context;

  register(rollouts.show, ({ params: { id } }) => view(executor.find(id)));
  register(rollouts.explain, ({ params: { id } }) => {
    const explanation = explainRollout(executor.find(id), now());
    return { ...explanation, text: explanationText(explanation) };
  });
  register(rollouts.events, async ({ params: { id } }) => ({
    body: Readable.from(await log.lines(executor.find(id).id)),
  }));
  orders(register, context);
  beginnings(register, context);
  plans(register, context);
}

/** A person's word on a rollout that runs. */
function orders(register: Register, { executor }: HttpContext): void {
  for (const order of ['pause', 'resume', 'abort', 'ceiling'] as const)
    register(rollouts[order], async ({ who, params: { id }, body: { reason, percent } }) =>
      view(await executor.order(id, order, nameOf(who), reason, percent)),
    );
  register(rollouts.approve, async ({ who, params: { id }, body: { reason, percent } }) => {
    const { plan, stage } = executor.find(id);
    // The stage says who may.
    requireRole(who, plan.stages[stage]?.approve ?? 'operator');
    return view(await executor.order(id, 'approve', nameOf(who), reason, percent));
  });
  register(rollouts.force, async ({ who, params: { id }, body: { reason } }) =>
    view(await executor.order(id, 'force', nameOf(who), reason)),
  );
}

/** What begins a rollout beside a promote call. */
function beginnings(register: Register, context: HttpContext): void {
  const { store, executor } = context;

  register(rollouts.rollback, async ({ who, params, body: { reason, plan: asked } }) => {
    const { id } = executor.find(params.id);
    const plan = await planFor(context, who, asked, { otherwise: context.plans.rollback, subject: id });
    return view(await executor.rollback(id, plan, nameOf(who), reason));
  });
  register(rollouts.compare, async ({ who, body: { model, versions, plan: asked } }) => {
    knownModel(store.state, model, 'compare versions of');
    const subject = `${model} ${versions.join(' ')}`;
    const otherwise = usualPlan(context.plans, devicesOf(store.state, model).length);
    const plan = await planFor(context, who, asked, { otherwise, subject });
    if (plan.evidence === 'no-harm')
      throw new AdbreakError(
        'conflict',
        `Cannot compare by the plan ${plan.name}: a plan without proof of being no worse is for going back only`,
        {
          remedy: 'Use another plan: `adbreak rollouts plans`.',
        },
      );
    return { rollouts: (await executor.compare(model, versions, plan, nameOf(who))).map(view) };
  });
}

function plans(register: Register, { store, plans: own, now }: HttpContext): void {
  register(rollouts.plans, () => ({
    promote: own.promote.name,
    rollback: own.rollback.name,
    small: own.small?.name ?? null,
    plans: [...own.named.values()],
  }));
  register(rollouts.plan, async ({ body: { model, plan } }) => {
    const members = devicesOf(store.state, model);
    const rules = planOf(own, plan, usualPlan(own, members.length));
    const digest = productionOf(store.state, model)?.digest ?? '';
    const week = await store.rollups.means(digest, ...hoursOfRates(now()));
    const found = forecast(rules, members, ratesOf(store.state, model, week));
    const made = { ...found, warnings: [...found.warnings, ...smallFleet(rules, members.length)] };
    return { ...made, stages: made.stages.map(stageView), text: forecastText(rules, made) };
  });
}

/** JSON knows no infinity: what never comes has no day. */
function stageView({ name, acting, fromDay, untilDay, episodes }: StageForecast) {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    name,
    acting,
    fromDay: finite(fromDay),
    untilDay: finite(untilDay),
    episodes: finite(episodes),
  };
}
