import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Plan, readPlan } from '../plan.js';

/** The plans that a hub was started with: what an operator may move a model by. */
export interface Plans {
  readonly named: ReadonlyMap<string, Plan>;
  /** For promote and rollback calls that name none. */
  readonly promote: Plan;
  readonly rollback: Plan;
  /** In the place of `promote` where a fleet is smaller than that asks for; null where a person has chosen `promote`. */
  readonly small: Plan | null;
}

/** The plan for a call that names none, by the devices that a model has. */
export function usualPlan({ promote, small }: Plans, devices: number): Plan {
  return small !== null && devices < promote.minDevices ? small : promote;
}

const MOST = 100;

/** The plans of a folder's YAML files, and the two for calls that name none, each under its own name. Throws where one is no plan. */
export async function readPlans(
  folder: string,
  promotePath: string,
  rollbackPath: string,
  smallPath: string | null = null,
): Promise<Plans> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the folder of plans ${folder}`, {
      cause,
      remedy: 'Give --plans a folder of YAML files; see configs/rollouts/.',
    });
  });
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  if (files.length > MOST)
    throw new AdbreakError(
      'input_too_large',
      `Cannot read the folder of plans ${folder}: ${files.length} files, at most ${MOST}`,
    );
  const named = new Map<string, Plan>();
  for (const file of files) {
    const plan = await readPlan(join(folder, file));
    if (named.has(plan.name))
      throw new AdbreakError(
        'conflict',
        `Cannot read the plan ${join(folder, file)}: there are two of the name ${plan.name}`,
      );
    named.set(plan.name, plan);
  }
  const promote = await readPlan(promotePath);
  const rollback = named.get('rollback') ?? (await readPlan(rollbackPath));
  // Whoever started the hub with a file of its own means that one, also where a plan of the folder has its name.
  const small = smallPath === null ? null : await readPlan(smallPath);
  if (small !== null) named.set(small.name, small);
  return { named: named.set(rollback.name, rollback).set(promote.name, promote), promote, rollback, small };
}
