import type { AskedPlan } from '@adbreak/shared/contract/http/plan.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { nameOf, type Person, requireRole } from '../identity/secrets.js';
import type { Plans } from '../rollouts/lifecycle/plans.js';
import { boundedPlan, type Plan } from '../rollouts/plan.js';
import type { Store } from '../store/store.js';

export function planOf({ named }: Plans, asked: AskedPlan, otherwise: Plan): Plan {
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
  { store, plans }: { readonly store: Store; readonly plans: Plans },
  who: Person,
  asked: AskedPlan,
  { otherwise, subject }: { readonly otherwise: Plan; readonly subject: string },
): Promise<Plan> {
  const brought = asked !== undefined && typeof asked !== 'string';
  if (brought) requireRole(who, 'admin', 'a plan that comes with the call');
  const plan = planOf(plans, asked, otherwise);
  if (typeof asked === 'string' && plan.role === 'admin') requireRole(who, 'admin', `the plan ${plan.name}`);
  if (brought)
    await store.change(() => undefined, { who: nameOf(who), what: 'plan.bring', subject, after: plan });
  return plan;
}
