import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { parse } from 'yaml';
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
export type Where = z.infer<typeof where>;

const stage = z.strictObject({
  name: z.string().regex(/^[a-z0-9 %-]{1,40}$/),
  /** Share of the devices it may reach on which the candidate acts; 0 is shadow. */
  percent: z.number().min(0).max(100),
  where: where.optional(),
  /** Distinct episodes (averaged over a channel's devices) that must be decided in this stage where the candidate acts; in shadow, anywhere. */
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
  /** A device crashes when inference processes restart more often a day where the candidate acts, and twice as often as before on the same device. */
  crashesPerDay: z.number().positive().max(10_000).default(2),
  /** A device is slow when in most of its windows 95 of 100 inferences of the candidate take longer, milliseconds; or this many times production's. */
  latencyP95Ms: z.number().positive().max(60_000).default(500),
  latencyRatio: z.number().min(1).max(100).default(3),
  /** Memory of agent and inference processes, MiB, in most of a device's windows. */
  memoryMb: z.number().positive().max(65_536).default(1024),
  /** Share of devices, and two of them at least, that must break a limit. */
  devices: share.default(0.1),
  /** Share of devices that cannot fetch, verify or run the candidate. */
  failures: share.default(0.1),
});

/** How people answer: every disagreement is asked about, or as many as the devices' people have patience for. */
const labels = z.union([z.literal('all'), z.strictObject({ perDeviceAndWeek: z.int().min(1).max(10_000) })]);

/** Devices that fall silent, and windows that are missing. */
const silence = z.strictObject({
  /** A device is silent when so many windows in a row are missing. */
  windows: z.int().min(1).max(1000).default(4),
  /** More silent devices than this share hold the rollout, and more than this share beyond the control group's. */
  share: share.default(0.2),
  /** Held for so long by silence, it goes back to the shadow. */
  suspendHours: z.number().positive().max(10_000).default(24),
  /** More missing windows in a stage than this share hold the rollout: devices that do badly may report less. */
  missing: share.default(0.2),
});

/** How a rollout moves. docs/gate.md defines what the numbers mean; configs/rollouts/standard.yaml explains each. */
export const plan = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,40}$/),
    /** Non-inferiority margin, share of episodes. */
    margin: z.number().gt(0).lt(0.5),
    /** Harm is being worse by more than this; half the margin where nothing is said. In a slice it is the margin. */
    tolerance: z.number().min(0).lt(0.5).optional(),
    alphaHarm: z.number().gt(0).lt(0.5).default(0.05),
    alphaPromote: z.number().gt(0).lt(0.5).default(0.05),
    /** Devices that must have given evidence. */
    minDevices: z.int().positive(),
    /** What a stage needs must come within this time, else a person decides. */
    deadlineHours: z.number().positive().max(100_000).default(336),
    /** Windows of this length, UTC, are averaged by channel; devices' own windows must fit into them. */
    windowSeconds: z.number().min(1).max(86_400).default(3600),
    /** A window waits this long for reports that come late, then it is closed. */
    lagHours: z.number().min(0).max(168).default(2),
    /** Length of a day: the programme of a day is common to all channels, so days are clusters too. */
    dayHours: z.number().positive().max(168).default(24),
    labels: labels.default({ perDeviceAndWeek: 20 }),
    /** A draw that nobody has answered after this time counts in the worst case for good. */
    answerHours: z.number().positive().max(1000).default(48),
    /** Share of answers that may be wrong. Control items test it: where they reject it, what they show takes its place. */
    wrong: z.number().min(0).max(0.3).default(0.02),
    /** Of ten answered disagreements or more, one device may have given this share at most. */
    maxFromOneDevice: share.default(0.8),
    /** A device whose episodes in a window exceed the fleet's median this many times is left out of that window, and named. */
    maxTimesMedian: z.number().min(2).max(10_000).default(20),
    silence: silence.prefault({}),
    /** Harm is looked for in each channel, site or hardware as well; where it is found, the slice stays on production. */
    slices: z
      .array(z.enum(['channel', 'site', 'hardware']))
      .max(3)
      .default([]),
    /** Chance of leaving a slice or a single device behind though it is not harmed. */
    alphaSlices: z.number().gt(0).lt(0.5).default(0.05),
    /** Slices that stay on production may hold this share of the devices, and single devices this share of them. */
    maxExcluded: share.default(0.2),
    maxSetAside: share.default(0.1),
    /** One false WORLD alarm in so many hours on average. */
    world: z.strictObject({ falseAlarmHours: z.number().min(100).max(1e6).default(5000) }).prefault({}),
    abort: abort.prefault({}),
    /** False: a person approves the completion. */
    autoPromote: z.boolean().default(true),
    /** Times of the week in which it may advance, UTC; at any time where there is none. Harm takes it back at any time. */
    windows: z.array(advanceWindow).max(20).default([]),
    /** Time after completion in which harm still takes the version back. */
    watchHours: z.number().nonnegative().max(10_000).default(48),
    /** `no-harm` moves on without proof of being no worse: for going back to a version that was in production before. */
    evidence: z.enum(['non-inferiority', 'no-harm']).default('non-inferiority'),
    /** The least role that may use this plan by its name, where it is one of the hub's. */
    role: z.enum(['operator', 'admin']).default('operator'),
    stages: z.array(stage).min(1).max(12),
  })
  .refine(
    ({ tolerance, margin }) => tolerance === undefined || tolerance <= margin,
    'tolerance must not exceed the margin',
  )
  .refine(
    ({ windowSeconds, dayHours }) => windowSeconds <= dayHours * 3600,
    'windowSeconds must not exceed a day',
  )
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

const LIMIT = 64 * 1024;

/**
 * What a plan may say at most, whoever wrote it. Within these a pass still means something: by the widest margin and alpha, two
 * models that never differ need thirty-four episodes, and one that is a tenth worse passes in one of ten rollouts. Plans
 * that are stored already, and those in event logs, are read by the schema above: a narrower bound must not make a hub's past unreadable.
 */
function limits(rules: Plan): [field: string, value: number, low: number, high: number][] {
  const { abort, world } = rules;
  return [
    // One episode of ten worse is what viewers see; a site too small for less needs a person, not a wider margin.
    ['margin', rules.margin, 0.001, 0.1],
    // Above, the verdict is a coin. Below, harm would have to be overwhelming before anything is taken back.
    ['alphaHarm', rules.alphaHarm, 0.001, 0.1],
    ['alphaSlices', rules.alphaSlices, 0.001, 0.1],
    ['alphaPromote', rules.alphaPromote, 1e-6, 0.1],
    ['minDevices', rules.minDevices, 1, 1e6],
    // More wrong answers than this say nothing.
    ['wrong', rules.wrong, 0, 0.3],
    ['windowSeconds', rules.windowSeconds, 1, 86_400],
    ['lagHours', rules.lagHours, 0, 168],
    ['dayHours', rules.dayHours, 0.001, 168],
    ['answerHours', rules.answerHours, 0.001, 1000],
    // What is left behind must stay the smaller part.
    ['maxExcluded', rules.maxExcluded, 0, 0.5],
    ['maxSetAside', rules.maxSetAside, 0, 0.3],
    ['maxFromOneDevice', rules.maxFromOneDevice, 0.1, 1],
    ['maxTimesMedian', rules.maxTimesMedian, 2, 1000],
    // Somebody must have sent something where the candidate acts: silence is never success.
    ['silence.share', rules.silence.share, 0, 0.9],
    ['silence.missing', rules.silence.missing, 0, 0.9],
    ['silence.windows', rules.silence.windows, 1, 1000],
    ['silence.suspendHours', rules.silence.suspendHours, 0.01, 10_000],
    // More than eleven years without a false alarm are no alarm at all.
    ['world.falseAlarmHours', world.falseAlarmHours, 100, 100_000],
    // Limits so high that nothing breaks them are none.
    ['abort.crashesPerDay', abort.crashesPerDay, 0.01, 100],
    ['abort.latencyP95Ms', abort.latencyP95Ms, 1, 60_000],
    ['abort.latencyRatio', abort.latencyRatio, 1, 100],
    ['abort.memoryMb', abort.memoryMb, 16, 65_536],
    ['abort.failures', abort.failures, 0, 0.5],
    ['abort.devices', abort.devices, 0, 0.5],
    ['deadlineHours', rules.deadlineHours, 0.01, 100_000],
    ['watchHours', rules.watchHours, 0, 10_000],
    ...rules.stages.flatMap(({ minEpisodes, soakHours }, i): [string, number, number, number][] => [
      [`stages.${i}.minEpisodes`, minEpisodes, 10, 1e7],
      [`stages.${i}.soakHours`, soakHours, 0, 10_000],
    ]),
  ];
}

/** A plan by which something may move from now on. */
export const boundedPlan = plan.superRefine((rules, context) => {
  for (const [field, value, low, high] of limits(rules))
    if (!(value >= low && value <= high))
      context.addIssue({
        code: 'custom',
        path: field.split('.'),
        message: `must be from ${low} to ${high}: it is ${value}`,
      });
});

export async function readPlan(path: string): Promise<Plan> {
  return checkPlan(
    (await readYaml(path, 'the rollout plan', 'Look at configs/rollouts/ for plans.')) ?? null,
    `the rollout plan ${path}`,
  );
}

/** Parses a plan; one of the earlier form is refused with the fields to change. */
export function checkPlan(value: unknown, what: string): Plan {
  const found = earlierFields(value);
  if (found.length > 0)
    throw new AdbreakError('input_invalid', `Cannot read ${what}: it has the earlier form`, {
      remedy: `Change ${found.map((field) => `${field} (now ${EARLIER[field]})`).join('; ')}.`,
    });
  return check(boundedPlan, value, what);
}

/** Fields of plans before evidence was counted by channel, and what says the same now. */
const EARLIER: Readonly<Record<string, string>> = {
  labelRate: '`labels: all`, or `labels: { perDeviceAndWeek: 20 }`',
  maxUnlabelled: 'left out: a draw without an answer counts in the worst case',
  maxSilent: '`silence: { share: 0.2 }`',
  'world.lagHours': '`lagHours` of the plan itself',
};
function earlierFields(value: unknown): string[] {
  const own = (of: unknown, key: string) => typeof of === 'object' && of !== null && Object.hasOwn(of, key);
  const world = typeof value === 'object' && value !== null && 'world' in value ? value.world : undefined;
  return Object.keys(EARLIER).filter((field) =>
    field === 'world.lagHours' ? own(world, 'lagHours') : own(value, field),
  );
}

/** How much worse than production counts as harm, share of episodes. */
export function toleranceOf({ tolerance, margin }: Pick<Plan, 'tolerance' | 'margin'>): number {
  return tolerance ?? margin / 2;
}

/** A YAML file of a person's, with its size looked at first. */
export async function readYaml(path: string, what: string, remedy: string): Promise<unknown> {
  const bytes = await readLimited(path, LIMIT);
  if (bytes === undefined)
    throw new AdbreakError('not_found', `Cannot read ${what} ${path}: it does not exist`, { remedy });
  try {
    return parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot read ${what} ${path}: it is not YAML`, { cause });
  }
}

/** Whether a plan lets a rollout advance now. */
export function mayAdvance({ windows }: Pick<Plan, 'windows'>, now: Date): boolean {
  const [day, time] = [DAYS[now.getUTCDay()], now.toISOString().slice(11, 16)];
  return (
    windows.length === 0 ||
    windows.some((one) => day !== undefined && one.days.includes(day) && one.from <= time && time < one.to)
  );
}
