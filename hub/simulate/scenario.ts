import { dirname, resolve } from 'node:path';
import { check } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import { type Plan, readPlan, readYaml } from '../rollouts/plan.js';

const share = z.number().min(0).max(1);

/** A fleet, a candidate and a world: what a rollout would meet. configs/scenarios/ has examples with every field explained. */
export const scenario = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,40}$/),
  /** What it shows, in a sentence. */
  about: z.string().max(300).default(''),
  /** A rollout plan; the path is relative to the scenario. */
  plan: z.string().max(300),
  days: z.number().positive().max(365),
  runs: z.int().min(1).max(10_000).default(1),
  fleet: z.strictObject({
    devices: z.int().min(1).max(2_000_000),
    /** Channels that they share; devices of one channel see the same episodes. As many as devices, 200 at most, where nothing is said. */
    channels: z.int().min(1).max(2000).optional(),
    /** Devices a channel after Zipf: 0 is evenly, 1 is as the names of a language. */
    zipf: z.number().min(0).max(3).default(0),
    /** Share of the hours in which all channels show the same. */
    common: share.default(0),
    /** Share of its episodes that a device sees alone. */
    captureNoise: share.default(0),
    /** Episodes a device ends in an hour: a scene or an advertisement of 90 seconds makes 40. */
    episodesPerHour: z.int().min(1).max(1000).default(40),
    /** Channels' volumes differ by factors up to this one. */
    spread: z.number().min(1).max(20).default(1),
    /** Of win or loss among one channel's disagreements. */
    correlation: z.number().min(0).lt(1).default(0.02),
    /** Share of device-hours without a report. */
    offline: share.default(0),
    /** Share of the devices that never send anything. */
    silent: share.default(0),
    /** Restarts a day of the first device, whichever model it runs; the others have .05. */
    crashing: z.number().min(0).max(1000).nullable().default(null),
    /** Share of devices that come one an hour after the rollout has begun. */
    late: share.default(0),
  }),
  /** Answers: shares of the drawn that nobody answers, and of the answers that are wrong, by what is true. */
  people: z
    .strictObject({
      missing: z.strictObject({ wins: share.default(0), losses: share.default(0) }).prefault({}),
      wrong: z.strictObject({ wins: share.default(0), losses: share.default(0) }).prefault({}),
    })
    .prefault({}),
  candidate: z.strictObject({
    /** Share of episodes on which it differs from production, and how many more of them it has right. */
    disagreement: z.number().gt(0).max(0.5).default(0.1),
    difference: z.number().min(-0.5).max(0.5).default(0),
    /** Restarts per device and day where it acts; production has .05. */
    crashesPerDay: z.number().min(0).max(1000).default(0.05),
    /** A device on which it has acted for so many hours sends nothing any more; null: never. */
    silentAfterHours: z.number().nonnegative().nullable().default(null),
    /** Chance that nothing comes of an hour in which a device lost more than it won: its window was made and is missing, or (`neverMade`) not even that. */
    dropLosing: share.default(0),
    neverMade: z.boolean().default(false),
    /** The first device differs by this instead: one broken unit. */
    broken: z.number().min(-1).max(1).nullable().default(null),
    /** Devices that report nothing but losses, or nothing but wins. */
    liars: z
      .strictObject({ count: z.int().min(1), side: z.enum(['losses', 'wins']) })
      .nullable()
      .default(null),
  }),
  world: z
    .strictObject({
      referenceWeeks: z.int().min(0).max(8).default(4),
      /** Hours that a programme's effect lasts. */
      effectHours: z.int().min(1).max(48).default(1),
      /** Standard deviation of a difference that is common to all channels for a day. */
      dayEffect: z.number().min(0).max(0.2).default(0),
      /** From a day on: share of episodes that become doubtful to both models, and the disagreement and difference from then on. */
      changes: z
        .array(
          z.strictObject({
            fromDay: z.number().nonnegative(),
            doubtful: share.default(0),
            disagreement: z.number().gt(0).max(0.5).optional(),
            difference: z.number().min(-0.5).max(0.5).optional(),
          }),
        )
        .max(20)
        .default([]),
    })
    .prefault({}),
});
export type Scenario = z.infer<typeof scenario>;

export async function readScenario(path: string): Promise<{ scenario: Scenario; plan: Plan }> {
  const read = check(
    scenario,
    (await readYaml(path, 'the scenario', 'Look at configs/scenarios/ for scenarios.')) ?? null,
    `the scenario ${path}`,
  );
  return { scenario: read, plan: await readPlan(resolve(dirname(path), read.plan)) };
}
