import { type Plan, readPlan } from '../rollouts/plan.js';

export const PLAN_FLAG =
  "name of a plan of the hub (`adbreak rollouts plans`), or a file of one's own, which needs an administrator's token";

/** What `--plan` adds to a call: a name goes as a name, the content of a file as a plan. A name has neither a dot nor a slash. */
export async function planFlag(value: string | undefined): Promise<{ plan?: string | Plan }> {
  if (value === undefined) return {};
  return { plan: /^[a-z0-9-]{1,40}$/.test(value) ? value : await readPlan(value) };
}
