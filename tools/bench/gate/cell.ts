import { fileURLToPath } from 'node:url';
import { type Plan, readPlan } from '@adbreak/hub/rollouts/plan.js';
import type { LivingRooms } from '@adbreak/hub/simulate/living-rooms.js';
import { type Enter, type EvidenceRun, evidenceRun, type Looks, PER_WINDOW, WINDOWS } from './scenarios.js';

/** A cell of `make bench-gates`: a fleet, what is promised of it, and one run of it from a seed; and how one is built. */
export const PLAN = await readPlan(
  fileURLToPath(new URL('../../../../configs/rollouts/standard.yaml', import.meta.url)),
);

export const GROUPS = [
  'old',
  'delay',
  'shared',
  'days',
  'broken',
  'people',
  'liars',
  'missing',
  'distrust',
  'answers',
  'silence',
  'crash',
  'night',
  'world',
  'shift',
  'canary',
] as const;
export type Group = (typeof GROUPS)[number];
export type Result = Readonly<Record<string, unknown>>;
export interface Cell {
  readonly group: Group;
  readonly name: string;
  /** Candidate less production, share of episodes. */
  readonly difference: number;
  /** Shares of runs that must not exceed what is said, sampling error apart. */
  readonly promise: Readonly<Partial<Record<string, number>>>;
  /** Share of the runs that it is given, 1 where nothing is said. */
  readonly share?: number;
  /** Medians of the delay table in docs/gate-figures.md, "Delays"; null where too few get there. */
  readonly golden?: { readonly suspend: number; readonly shown: number | null };
  readonly run: (seed: string) => Result;
}

export const ALPHA = 0.05;
export const DISTRUST_SHARE = 0.25;
/** As good or better must not FAIL, worse by the margin must not PASS, in its first stage or its last. */
export function errors(
  difference: number,
  { dayEffect, programmeEffect }: Partial<LivingRooms> = {},
): Cell['promise'] {
  if (difference >= 0) return { fail: ALPHA };
  // What is common to all for hours is no channel's own: stages before the last one are left by channels alone, at a small exposure.
  const common = (dayEffect ?? 0) + (programmeEffect ?? 0) > 0;
  return difference > -PLAN.margin ? {} : { ...(!common && { pass: ALPHA }), last: ALPHA };
}

interface EvidenceCell {
  readonly looks?: Looks;
  readonly plan?: Partial<Plan>;
  readonly promise?: Cell['promise'];
  readonly golden?: NonNullable<Cell['golden']>;
  readonly enter?: () => Enter;
}
export function evidence(
  group: Group,
  name: string,
  rooms: LivingRooms,
  { looks, plan, promise, golden, enter }: EvidenceCell = {},
): Cell {
  const { difference } = rooms;
  return {
    group,
    name,
    difference,
    promise: promise ?? errors(difference, rooms),
    ...(group === 'distrust' && { share: DISTRUST_SHARE }),
    ...(golden !== undefined && { golden }),
    run: (seed) =>
      evidenceRun(
        { ...PLAN, ...plan },
        rooms,
        looks ?? { windows: WINDOWS, every: 4 },
        seed,
        enter?.(),
      ) satisfies EvidenceRun as unknown as Result,
  };
}

export const GOOD_AND_WORSE = [0, -PLAN.margin] as const;
export const both = (make: (difference: number) => Cell): Cell[] => GOOD_AND_WORSE.map(make);
export const fleet = (devices: number, difference: number, more: Partial<LivingRooms> = {}): LivingRooms => ({
  devices,
  episodes: PER_WINDOW,
  disagreement: 0.1,
  difference,
  ...more,
});
