import { z } from 'zod';

const share = z.number().min(0).max(1);
const names = z.array(z.string().min(1).max(60)).min(1).max(50);

/** Which devices a stage may reach; all of them where it says nothing. Every condition must hold. */
const where = z.strictObject({
  channel: names.optional(),
  site: names.optional(),
  hardware: names.optional(),
  tags: z.record(z.string().max(60), z.string().max(60)).optional(),
});

const stage = z.strictObject({
  name: z.string().regex(/^[a-z0-9 %-]{1,40}$/),
  /** Share of the devices it may reach on which the candidate acts; 0 is shadow. */
  percent: z.number().min(0).max(100),
  where: where.optional(),
  /** Episodes that must be decided in this stage by the devices on which the candidate acts; in shadow, by all. */
  minEpisodes: z.int().nonnegative(),
  /** Time that must pass in this stage. */
  soakHours: z.number().nonnegative().max(10_000).default(24),
  /** Who must say yes before the stage is left: the least role. */
  approve: z.enum(['operator', 'admin']).nullable().default(null),
  /** A federated round over the devices' own labelled reservoirs must agree before the stage is left. */
  round: z
    .strictObject({ quorum: z.int().positive().max(1e6), hours: z.number().positive().max(10_000) })
    .nullable()
    .default(null),
});

export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'must be HH:MM');
const advanceWindow = z
  .strictObject({ days: z.array(z.enum(DAYS)).min(1).max(7), from: clock, to: clock })
  .refine(({ from, to }) => from < to, 'a window must end after it begins; one over midnight is two');

const abort = z.strictObject({
  /** Restarts of inference processes per device and day, on devices where the candidate acts. */
  crashesPerDay: z.number().positive().default(2),
  /** The candidate's latency, 95 of 100 inferences, milliseconds; and as a multiple of production's on the same devices. */
  latencyP95Ms: z.number().positive().default(500),
  latencyRatio: z.number().positive().default(3),
  /** Memory of agent and inference processes, MiB, on more than a tenth of the devices. */
  memoryMb: z.number().positive().default(1024),
  /** Share of devices that cannot fetch, verify or run the candidate. */
  failures: share.default(0.1),
});

/** How a rollout moved under the first gate; docs/statistics.md has its formulas. Plans of today: hub/rollouts/plan.ts. */
export const plan = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,40}$/),
    /** Non-inferiority margin, share of episodes. */
    margin: z.number().gt(0).lt(0.5),
    alphaHarm: z.number().gt(0).lt(0.5).default(0.05),
    alphaPromote: z.number().gt(0).lt(0.5).default(0.05),
    /** Devices that must have given evidence. */
    minDevices: z.int().positive(),
    /** What a stage needs must come within this time, else a person decides. */
    deadlineHours: z.number().positive().max(100_000).default(336),
    /** Disagreements that nobody labelled may be this share of all disagreements at most. */
    maxUnlabelled: share.default(0.2),
    /** Where people cannot label everything: the share of disagreements, drawn at random by the devices, that counts when labelled. Below 1, unlabelled ones count as no difference and labelled ones for 1/share. */
    labelRate: z.number().gt(0).max(1).default(1),
    /** Of ten labelled disagreements or more, one device may have given this share at most. */
    maxFromOneDevice: share.default(0.8),
    /** A device whose episodes exceed the fleet's median this many times is left out, and named. */
    maxTimesMedian: z.number().min(2).max(10_000).default(20),
    /** Of the devices on which the candidate acts, this share may be silent in a stage. */
    maxSilent: share.default(0.5),
    /** Harm is looked for in each channel, site or hardware as well. */
    slices: z
      .array(z.enum(['channel', 'site', 'hardware']))
      .max(3)
      .default([]),
    /** Chance of suspending for a slice though none is harmed. */
    alphaSlices: z.number().gt(0).lt(0.5).default(0.05),
    /** One false WORLD alarm in so many hours on average; hours wait this long for late reports. */
    world: z
      .strictObject({
        falseAlarmHours: z.number().min(100).max(1e6).default(5000),
        lagHours: z.number().min(0).max(168).default(2),
      })
      .prefault({}),
    abort: abort.prefault({}),
    /** False: a person approves the completion. */
    autoPromote: z.boolean().default(true),
    /** Times of the week in which it may advance, UTC; at any time where there is none. Harm takes it back at any time. */
    windows: z.array(advanceWindow).max(20).default([]),
    /** Time after completion in which harm still takes the version back. */
    watchHours: z.number().nonnegative().max(10_000).default(48),
    /** `no-harm` moves on without proof of being no worse: for going back to a version that was in production before. */
    evidence: z.enum(['non-inferiority', 'no-harm']).default('non-inferiority'),
    stages: z.array(stage).min(1).max(12),
  })
  .refine(
    ({ stages }) => stages.every((one, i) => i === 0 || one.percent >= (stages[i - 1]?.percent ?? 0)),
    'stages must not shrink in percent',
  )
  .refine(
    ({ stages }) => stages.at(-1)?.percent === 100 && stages.at(-1)?.where === undefined,
    'the last stage must reach 100 % of all devices',
  )
  .refine(
    ({ stages, evidence }) => evidence === 'no-harm' || (stages[0]?.percent === 0 && stages.length > 1),
    'stages must begin at 0 % (shadow)',
  )
  .refine(
    ({ stages }) => new Set(stages.map(({ name }) => name)).size === stages.length,
    'stages must have different names',
  );
export type Plan = z.infer<typeof plan>;
export type Stage = Plan['stages'][number];

/** Whether a plan lets a rollout advance now. */
export function mayAdvance({ windows }: Pick<Plan, 'windows'>, now: Date): boolean {
  const [day, time] = [DAYS[now.getUTCDay()], now.toISOString().slice(11, 16)];
  return (
    windows.length === 0 ||
    windows.some((one) => day !== undefined && one.days.includes(day) && one.from <= time && time < one.to)
  );
}
