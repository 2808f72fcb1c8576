import type { Promotion } from '@adbreak/shared/contract/http/models.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { boundedPlan, type Plan } from '../rollouts/plan.js';

/** What a promote call comes to: a plan, and the share of the devices that the rollout may go to, percent. */
export interface Asked {
  readonly plan: Plan;
  readonly ceiling: number;
}

/**
 * What the three words of a promote call mean. `canary` with a percentage is the plan with a stage of that
 * share, which is also how far it goes; `is_production` lets it go on to all devices. Without `canary` the
 * percentage is the ceiling alone. Nothing of it goes round a gate. Throws `input_invalid` where the words
 * contradict each other.
 */
export function promotionOf(
  {
    is_production,
    status,
    rollout_percentage,
  }: Pick<Promotion, 'is_production' | 'status' | 'rollout_percentage'>,
  plan: Plan,
): Asked {
  if (status === 'production') {
    if (is_production === false)
      throw new AdbreakError(
        'input_invalid',
        'Cannot accept the promote call: is_production: it is false, and status is production',
        {
          remedy: 'Say `"status": "canary"` with a rollout_percentage, or leave is_production out.',
        },
      );
    return { plan, ceiling: is_production === true ? 100 : (rollout_percentage ?? 100) };
  }
  const canary = rollout_percentage ?? firstCanary(plan);
  return { plan: withStage(plan, canary), ceiling: is_production === true ? 100 : canary };
}

/** The smallest share on which a candidate acts by this plan. */
function firstCanary({ stages }: Plan): number {
  return stages.find(({ percent }) => percent > 0)?.percent ?? 100;
}

/** The plan with a stage that reaches just this share: a copy of the one it would have gone to, cut at it. */
function withStage(plan: Plan, percent: number): Plan {
  const { stages } = plan;
  if (stages.some((stage) => stage.percent === percent)) return plan;
  const next = stages.findIndex((stage) => stage.percent > percent);
  const wider = stages[next];
  // The last stage of every plan is 100 %.
  if (wider === undefined) return plan;
  const cut = { ...wider, name: freeName(plan), percent };
  return check(boundedPlan, { ...plan, stages: stages.toSpliced(next, 0, cut) }, `the plan ${plan.name}`);
}

function freeName({ stages }: Plan): string {
  const taken = new Set(stages.map(({ name }) => name));
  const names = ['canary', ...stages.map((_, i) => `canary ${i + 2}`)];
  return names.find((name) => !taken.has(name)) ?? 'canary as asked';
}
