import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { parse } from 'yaml';
import { z } from 'zod';

const stage = z.strictObject({
  name: z.string().regex(/^[a-z0-9 %-]{1,40}$/),
  /** Share of devices on which the candidate acts; 0 is shadow. */
  percent: z.number().min(0).max(100),
  /** Episodes that must be decided in this stage, beyond those of the stages before. */
  minEpisodes: z.int().nonnegative(),
  minMinutes: z.number().nonnegative(),
});

/** How a rollout moves. GATES.md sections 3 and 4 define what the numbers mean. */
export const plan = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,40}$/),
    /** Non-inferiority margin, share of episodes. */
    margin: z.number().gt(0).lt(0.5),
    alphaHarm: z.number().gt(0).lt(0.5),
    alphaPromote: z.number().gt(0).lt(0.5),
    minDevices: z.int().positive(),
    /** The stage's evidence must come within this time, else a person decides. */
    deadlineHours: z.number().positive(),
    /** Disagreements that nobody labelled may be this share of all disagreements at most. */
    maxUnlabelled: z.number().min(0).max(1),
    stages: z.array(stage).min(2).max(12),
  })
  .refine(({ stages }) => stages.every((one, i) => i === 0 || one.percent > (stages[i - 1]?.percent ?? 0)), 'stages must grow in percent')
  .refine(({ stages }) => stages[0]?.percent === 0 && stages.at(-1)?.percent === 100, 'stages must begin at 0 % (shadow) and end at 100 %');
export type Plan = z.infer<typeof plan>;

const LIMIT = 64 * 1024;

export async function readPlan(path: string): Promise<Plan> {
  const bytes = await readLimited(path, LIMIT);
  if (bytes === undefined)
    throw new AdbreakError('not_found', `Cannot read the rollout plan ${path}: it does not exist`, { remedy: 'Look at configs/rollouts/ for plans.' });
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot read the rollout plan ${path}: it is not YAML`, { cause });
  }
  return parseJson(plan, JSON.stringify(value ?? null), LIMIT, `the rollout plan ${path}`);
}
