import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { authorize } from '../identity/secrets.js';
import type { Plans } from '../rollouts/lifecycle/plans.js';
import { boundedPlan, type Plan } from '../rollouts/plan.js';
import type { HttpContext } from './context.js';

/** What a call says of its plan: nothing, the name of one of the hub's, or a plan in full, which `planOf` checks. */
export const askedPlan = z.union([z.string().max(40), z.looseObject({})]).optional();
type Asked = z.infer<typeof askedPlan>;

export function planOf({ named }: Plans, asked: Asked, otherwise: Plan): Plan {
  if (asked === undefined) return otherwise;
  if (typeof asked !== 'string') return check(boundedPlan, asked, 'the plan');
  const plan = named.get(asked);
  if (plan === undefined)
    throw new AdbreakError(
      'not_found',
      `Cannot use the plan ${asked}: the hub has ${[...named.keys()].join(', ')}`,
      {
        remedy: 'See `adbreak rollouts plans`.',
      },
    );
  return plan;
}

/**
 * The plan by which something is about to move. The plan is what the gate measures by, so who writes one can make the gate
 * let anything pass: an operator uses the hub's, one that comes with the call takes an administrator and stands whole in the audit log.
 */
export async function planFor(
  { store, plans }: Pick<HttpContext, 'store' | 'plans'>,
  { headers }: Pick<FastifyRequest, 'headers'>,
  asked: Asked,
  { otherwise, subject }: { readonly otherwise: Plan; readonly subject: string },
): Promise<Plan> {
  const brought = asked !== undefined && typeof asked !== 'string';
  const who = authorize(
    store.state,
    headers.authorization,
    brought ? 'admin' : 'operator',
    'a plan that comes with the call',
  );
  const plan = planOf(plans, asked, otherwise);
  if (typeof asked === 'string' && plan.role === 'admin')
    authorize(store.state, headers.authorization, 'admin', `the plan ${plan.name}`);
  if (brought) await store.change(() => undefined, { who, what: 'plan.bring', subject, after: plan });
  return plan;
}
