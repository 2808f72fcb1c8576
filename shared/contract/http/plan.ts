import { z } from 'zod';
import { count } from './common.js';

/**
 * What a call says of its plan: nothing, the name of one of the hub's, or a plan in full, which the gate's
 * own schema checks.
 */
export const askedPlan = z.union([z.string().max(40), z.looseObject({})]).optional();
export type AskedPlan = z.infer<typeof askedPlan>;

const names = z.array(z.string());
const where = z.object({
  channel: names.optional(),
  site: names.optional(),
  hardware: names.optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
const planStage = z.object({
  name: z.string(),
  /** Share of the devices on which the candidate acts, percent; 0 is shadow. */
  percent: z.number(),
  where: where.optional(),
  minEpisodes: count,
  soakHours: z.number(),
  approve: z.enum(['operator', 'admin']).nullable(),
  round: z.object({ quorum: count, hours: z.number() }).nullable(),
});

/**
 * A plan in full, by which a rollout moves: docs/gate.md says what its numbers mean,
 * configs/rollouts/standard.yaml each of them.
 */
export const planView = z.object({
  name: z.string(),
  margin: z.number(),
  tolerance: z.number().optional(),
  alphaHarm: z.number(),
  alphaPromote: z.number(),
  minDevices: count,
  deadlineHours: z.number(),
  windowSeconds: z.number(),
  lagHours: z.number(),
  dayHours: z.number(),
  labels: z.union([z.literal('all'), z.object({ perDeviceAndWeek: count })]),
  answerHours: z.number(),
  wrong: z.number(),
  maxFromOneDevice: z.number(),
  maxTimesMedian: z.number(),
  silence: z.object({
    windows: count,
    share: z.number(),
    suspendHours: z.number(),
    missing: z.number(),
  }),
  slices: z.array(z.enum(['channel', 'site', 'hardware'])),
  alphaSlices: z.number(),
  maxExcluded: z.number(),
  maxSetAside: z.number(),
  world: z.object({ falseAlarmHours: z.number() }),
  abort: z.object({
    crashesPerDay: z.number(),
    latencyP95Ms: z.number(),
    latencyRatio: z.number(),
    memoryMb: z.number(),
    devices: z.number(),
    failures: z.number(),
  }),
  autoPromote: z.boolean(),
  windows: z.array(
    z.object({
      days: z.array(z.enum(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'])),
      from: z.string(),
      to: z.string(),
    }),
  ),
  watchHours: z.number(),
  evidence: z.enum(['non-inferiority', 'no-harm']),
  role: z.enum(['operator', 'admin']),
  stages: z.array(planStage),
});
