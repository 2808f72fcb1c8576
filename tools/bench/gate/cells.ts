import { fileURLToPath } from 'node:url';
import { type Plan, readPlan } from '@adbreak/hub/rollouts/plan.js';
import type { LivingRooms, People } from '@adbreak/hub/simulate/living-rooms.js';
import { type Scenario, scenario } from '@adbreak/hub/simulate/scenario.js';
import { simulateRollout } from '@adbreak/hub/simulate/simulate.js';
import { lateLosses, nightRun, silentRun, wandering } from './reports.js';
import {
  type Enter,
  type EvidenceRun,
  evidenceRun,
  type Looks,
  PER_WINDOW,
  shiftRun,
  WINDOWS,
  type WorldFleet,
  worldRun,
} from './scenarios.js';

/** Every cell of `make bench-gates`: a fleet, what is promised of it, and one run of it from a seed. */
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

const ALPHA = 0.05;
const DISTRUST_SHARE = 0.25;
/** As good or better must not FAIL, worse by the margin must not PASS, in its first stage or its last. */
function errors(
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
function evidence(
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

const GOOD_AND_WORSE = [0, -PLAN.margin] as const;
const both = (make: (difference: number) => Cell): Cell[] => GOOD_AND_WORSE.map(make);
const fleet = (devices: number, difference: number, more: Partial<LivingRooms> = {}): LivingRooms => ({
  devices,
  episodes: PER_WINDOW,
  disagreement: 0.1,
  difference,
  ...more,
});

// — the cells of earlier gates: every device a channel of its own, every disagreement answered —

export const FLEETS = [5, 20, 50] as const;
export const CORRELATIONS = [0, 0.02, 0.1] as const;
const old = FLEETS.flatMap((devices) =>
  CORRELATIONS.flatMap((correlation) =>
    both((difference) =>
      evidence(
        'old',
        `${devices} devices, correlation ${correlation}`,
        fleet(devices, difference, { correlation }),
        {
          looks: { windows: WINDOWS, every: 2, peers: true },
          // Five channels that differ by 3 points are worse than the tolerance as they are in a quarter of the runs, and suspended for it.
          promise: { ...errors(difference), ...(difference === 0 && devices >= 20 && { suspend: ALPHA }) },
        },
      ),
    ),
  ),
);

/** docs/gate-figures.md, "Delays": without wrong answers, a look each four windows. */
const DELAYS: readonly [correlation: number, difference: number, suspend: number, shown: number | null][] = [
  [0, -0.02, 9280, null],
  [0, -0.05, 640, 960],
  [0, -0.1, 320, null],
  [0.1, -0.02, 4480, null],
  [0.1, -0.05, 640, 1280],
  [0.1, -0.1, 320, null],
];
const delay = DELAYS.map(([correlation, difference, suspend, shown]) =>
  evidence(
    'delay',
    `correlation ${correlation}`,
    fleet(20, difference, { correlation, disagreement: 0.12 }),
    {
      plan: { wrong: 0 },
      promise: {},
      golden: { suspend, shown },
    },
  ),
);

// — living rooms —

const FIVE_DAYS: Looks = { windows: 120, every: 4, peers: true };
const SHARED: readonly [name: string, rooms: Partial<LivingRooms> & { devices: number }][] = [
  ['20 devices, 20 channels', { devices: 20, channels: 20 }],
  ['20 devices, 5 channels', { devices: 20, channels: 5 }],
  ['20 devices, 1 channel', { devices: 20, channels: 1 }],
  ['50 devices, 5 channels', { devices: 50, channels: 5 }],
  ['50 devices, 10 channels', { devices: 50, channels: 10 }],
  ['20 devices, 2 channels, half in common', { devices: 20, channels: 2, common: 0.5 }],
  ['20 devices, 10 channels, half in common', { devices: 20, channels: 10, common: 0.5 }],
  ['50 devices, 10 channels, a fifth in common', { devices: 50, channels: 10, common: 0.2 }],
  ['20 devices, 5 channels, capture noise .2', { devices: 20, channels: 5, captureNoise: 0.2 }],
  ['50 devices, 10 channels, Zipf, volumes x4', { devices: 50, channels: 10, zipf: 1.2, spread: 4 }],
  ['20 channels, heavy tails .02', { devices: 20, heavyTails: 0.02 }],
  ['20 channels, programmes of 6 h .02', { devices: 20, programmeEffect: 0.02 }],
  ['20 channels, own programmes of 6 h .05', { devices: 20, ownProgramme: 0.05 }],
  ['20 channels, each wanders .005 a day', { devices: 20, wander: 0.005 }],
  ['20 devices, 10 channels, half come late', { devices: 20, channels: 10, late: 0.5 }],
  [
    '50 devices, 10 channels, everything at once',
    {
      devices: 50,
      channels: 10,
      zipf: 1,
      spread: 3,
      common: 0.2,
      captureNoise: 0.2,
      heavyTails: 0.01,
      dayEffect: 0.005,
      programmeEffect: 0.01,
      wander: 0.002,
      late: 0.3,
    },
  ],
];
const shared = SHARED.flatMap(([name, rooms]) =>
  both((difference) =>
    evidence('shared', name, fleet(rooms.devices, difference, rooms), { looks: FIVE_DAYS }),
  ),
);

const days = [20, 50].flatMap((devices) =>
  [0, 0.01, 0.02].flatMap((dayEffect) =>
    [0, -0.02, -0.05, 0.02].map((difference) =>
      evidence(
        'days',
        `${devices} channels, day effect ${dayEffect}`,
        fleet(devices, difference, { episodes: 96, disagreement: 0.12, dayEffect, windowsPerDay: 1 }),
        {
          looks: { windows: 10, every: 1 },
        },
      ),
    ),
  ),
);

const broken = [
  ...[0, -0.02, -0.05].map((difference) =>
    evidence('broken', '1 of 20 loses 40 points', fleet(20, difference, { broken: -0.4 }), {
      promise: { ...errors(difference), ...(difference === 0 && { suspend: ALPHA }) },
    }),
  ),
  ...[0, -0.02].map((difference) =>
    // A third of a channel, which is a quarter of the fleet: harm is shown before the unit is, and is over once it is set aside.
    evidence(
      'broken',
      '1 of 12 on 4 channels loses 40 points',
      fleet(12, difference, { channels: 4, broken: -0.4 }),
    ),
  ),
];

// — people —

const WRONG = PLAN.wrong;
const PEOPLE: readonly [missing: [number, number], wrong: [number, number], rates: readonly number[]][] = [
  ...(
    [
      [0, 0.3],
      [0.3, 0],
      [0.05, 0.1],
      [0.1, 0.1],
      [0.3, 0.3],
    ] as [number, number][]
  ).map((missing): [[number, number], [number, number], number[]] => [missing, [0, 0], [1, 1 / 4, 1 / 16]]),
  ...(
    [
      [WRONG, WRONG],
      [WRONG, 0],
      [0, WRONG],
    ] as [number, number][]
  ).map((wrong): [[number, number], [number, number], number[]] => [[0, 0], wrong, [1, 1 / 4, 1 / 16]]),
  [
    [0.1, 0.1],
    [WRONG, WRONG],
    [1, 1 / 4],
  ],
  [
    [0, 0.3],
    [0, WRONG],
    [1, 1 / 4],
  ],
  [
    [0.3, 0],
    [WRONG, 0],
    [1, 1 / 4],
  ],
];
/** The seldomer a draw, the more episodes a device has. Windows of two hours. */
const episodesAt = (rate: number) => Math.min(80, (2 * PER_WINDOW) / rate);
const people = PEOPLE.flatMap(([missing, wrong, rates]) =>
  rates.flatMap((rate) =>
    both((difference) => {
      const own: People = {
        rate,
        missing: { wins: missing[0], losses: missing[1] },
        wrong: { wins: wrong[0], losses: wrong[1] },
      };
      const name = `drawn 1/${1 / rate}, unanswered ${missing.join(' ')}, wrong ${wrong.join(' ')}`;
      return evidence(
        'people',
        name,
        fleet(20, difference, { episodes: episodesAt(rate), people: own, windowsPerDay: 12 }),
        {
          looks: { windows: WINDOWS / 2, every: 6 },
        },
      );
    }),
  ),
);

/** Windows in which a device lost more than it won never come: a gap in its numbers, which counts at its worst. */
const gone = [0.1, 0.5, 1].flatMap((dropLosing) =>
  both((difference) =>
    evidence(
      'missing',
      `a window that was lost is missing in ${dropLosing}`,
      fleet(20, difference, { dropLosing }),
    ),
  ),
);

const LIARS: readonly [name: string, more: { shared?: boolean; enter?: () => Enter }][] = [
  ['on its own channel', {}],
  ["on another's channel", { shared: true }],
  ['another channel each window', { enter: wandering }],
];
const liars = [5, 20].flatMap((devices) =>
  LIARS.flatMap(([name, { shared: together = false, enter }]) =>
    (
      [
        [-PLAN.margin, 'wins'],
        [0, 'losses'],
      ] as const
    ).map(([difference, side]) =>
      evidence(
        'liars',
        `1 of ${devices}, ${name}, nothing but ${side}`,
        fleet(devices, difference, { liars: { count: 1, side, disagreement: 0.5, shared: together } }),
        enter === undefined ? {} : { enter },
      ),
    ),
  ),
);

// — where the simulator's assumptions are not the gate's: measured, no promise —

const half = <T>(n: number, first: T, second: T): T[] =>
  Array.from({ length: n }, (_, i) => (i < n / 2 ? first : second));
const DISTRUST: readonly [
  name: string,
  rooms: Partial<LivingRooms> & { devices: number },
  differences: readonly number[],
  enter?: () => Enter,
][] = [
  [
    'who differs more loses (rates x.5 and x1.5, ±2 points)',
    { devices: 20, differing: half(20, 0.5, 1.5), own: half(20, 0.02, -0.02) },
    GOOD_AND_WORSE,
  ],
  [
    'large channels win, small ones lose (volumes 3:1, ±2)',
    { devices: 20, volumes: half(20, 1.5, 0.5), own: half(20, 0.02, -0.02) },
    GOOD_AND_WORSE,
  ],
  [
    'small channels win, large ones lose (volumes 1:3, ±2)',
    { devices: 20, volumes: half(20, 0.5, 1.5), own: half(20, 0.02, -0.02) },
    GOOD_AND_WORSE,
  ],
  [
    'a window that was lost is never made in a tenth',
    { devices: 20, dropLosing: 0.1, neverMade: true },
    GOOD_AND_WORSE,
  ],
  ['… in a half', { devices: 20, dropLosing: 0.5, neverMade: true }, GOOD_AND_WORSE],
  ['losses are answered after 40 h', { devices: 20 }, GOOD_AND_WORSE, () => lateLosses(40)],
  ['all go one way together, .003 a day', { devices: 20, walk: 0.003 }, GOOD_AND_WORSE],
  [
    'two points better, five days later five worse',
    { devices: 20, turn: { window: 120, by: -0.07 } },
    [0.02],
  ],
  ['two points better, two days later four worse', { devices: 20, turn: { window: 48, by: -0.06 } }, [0.02]],
  ['46 of 50 devices on one of 5 channels', { devices: 50, channels: 5, zipf: 9 }, GOOD_AND_WORSE],
  [
    '… which loses 5 more, the others win',
    { devices: 50, channels: 5, zipf: 9, own: [-0.05, 0.0125, 0.0125, 0.0125, 0.0125] },
    [0],
  ],
  [
    'a liar like the others, all wins (1 of 5)',
    { devices: 5, liars: { count: 1, side: 'wins', disagreement: 0.1 } },
    [-0.02],
  ],
  [
    'a liar like the others, all losses (1 of 5)',
    { devices: 5, liars: { count: 1, side: 'losses', disagreement: 0.1 } },
    [0],
  ],
  [
    'two such liars of 20, all wins',
    { devices: 20, liars: { count: 2, side: 'wins', disagreement: 0.1 } },
    [-0.02],
  ],
  [
    'two such liars of 20, all losses',
    { devices: 20, liars: { count: 2, side: 'losses', disagreement: 0.1 } },
    [0],
  ],
  [
    'wrong answers beyond the plan: a tenth of the losses',
    { devices: 20, people: { wrong: { wins: 0, losses: 0.1 } } },
    [-0.02],
  ],
  [
    'wrong answers beyond the plan: a tenth of the wins',
    { devices: 20, people: { wrong: { wins: 0.1, losses: 0 } } },
    [0],
  ],
  [
    'evenings differ three times as often and lose, nights win',
    { devices: 20, evening: 3, programmeWindows: 12 },
    GOOD_AND_WORSE,
  ],
];
const distrust = DISTRUST.flatMap(([name, rooms, differences, enter]) =>
  differences.map((difference) =>
    evidence('distrust', name, fleet(rooms.devices, difference, rooms), {
      promise: {},
      ...(enter !== undefined && { enter }),
    }),
  ),
);

// — the whole state machine —

const world = { referenceWeeks: 0 };
const rolloutOf = (
  name: string,
  days: number,
  value: Partial<Record<'fleet' | 'candidate' | 'people', object>>,
): Scenario =>
  scenario.parse({
    name,
    plan: 'standard.yaml',
    days,
    world,
    ...value,
    fleet: { devices: 20, correlation: 0, ...value.fleet },
    candidate: value.candidate ?? {},
  });
function rollout(
  group: Group,
  name: string,
  made: Scenario,
  promise: Cell['promise'],
  lookHours: number,
  stage = 0,
): Cell {
  return {
    group,
    name,
    difference: made.candidate.difference,
    promise,
    ...(group === 'distrust' && { share: DISTRUST_SHARE }),
    run: (seed) => {
      const run = simulateRollout(made, PLAN, seed, { lookHours });
      const reached = Math.max(
        run.reached,
        run.status === 'completed' || run.status === 'watching' ? PLAN.stages.length : 0,
      );
      return {
        status: run.status,
        reached,
        promoted: reached > stage,
        fail: run.status === 'rolled-back',
        suspend: run.history.some(({ verdict }) => verdict === 'SUSPEND'),
        leaveShadow: run.answers.shadow,
        complete: run.answers.complete,
        days: run.days,
      };
    },
  };
}
const machine: Cell[] = [
  rollout(
    'answers',
    '20 devices, 3 points better, 20 answers a device and week',
    rolloutOf('answers', 30, { candidate: { difference: 0.03 } }),
    {},
    1,
  ),
  ...GOOD_AND_WORSE.map((difference) =>
    rollout(
      'silence',
      'nobody answers',
      rolloutOf('nobody', 15, { candidate: { difference }, people: { missing: { wins: 1, losses: 1 } } }),
      { promoted: 0 },
      6,
    ),
  ),
  ...[20, 50].map((devices) =>
    rollout(
      'silence',
      `all acting devices die after 8 hours, ${devices}`,
      rolloutOf('dead', 12, { fleet: { devices }, candidate: { difference: 0.02, silentAfterHours: 8 } }),
      { promoted: 0 },
      3,
      1,
    ),
  ),
  rollout(
    'silence',
    '40 % are silent from the start',
    rolloutOf('forty', 10, { fleet: { silent: 0.4 }, candidate: { difference: 0.02 } }),
    { promoted: 0 },
    6,
  ),
  rollout(
    'silence',
    'half of the windows that were lost are never made, 50',
    rolloutOf('less', 10, {
      fleet: { devices: 50 },
      candidate: { difference: -0.02, dropLosing: 0.5, neverMade: true },
    }),
    { promoted: ALPHA },
    6,
  ),
  rollout(
    'distrust',
    'a quarter of the windows that were lost are never made, 50',
    rolloutOf('less', 10, {
      fleet: { devices: 50 },
      candidate: { difference: -0.02, dropLosing: 0.25, neverMade: true },
    }),
    {},
    6,
  ),
  // A window that was made and is missing leaves a gap in its device's numbers, and counts at its worst; one that was never made leaves none.
  ...[0.5, 0.8, 1].flatMap((dropLosing) =>
    [false, true].map((neverMade) =>
      rollout(
        neverMade ? 'distrust' : 'silence',
        `${dropLosing} of the windows that were lost are ${neverMade ? 'never made' : 'missing'}, 4 episodes each, 50`,
        rolloutOf('less', 14, {
          fleet: { devices: 50, episodesPerHour: 4 },
          candidate: { difference: -0.02, dropLosing, neverMade },
        }),
        neverMade ? {} : { promoted: ALPHA },
        6,
      ),
    ),
  ),
  rollout(
    'crash',
    'one device restarts 6 times a day with either model',
    rolloutOf('crash', 14, { fleet: { crashing: 6 }, candidate: { difference: 0.02 } }),
    { fail: ALPHA },
    3,
  ),
];

const NIGHT_HOURS = 168;
const night: Cell = {
  group: 'night',
  name: 'begun at night, three times as many disagreements in the evening',
  difference: 0,
  promise: { alarm: ALPHA },
  run: (seed) =>
    nightRun(
      PLAN,
      { devices: 12, episodes: 20, disagreement: 0.1, difference: 0, evening: 3 },
      NIGHT_HOURS,
      seed,
    ),
};

// — the world: docs/gate-figures.md, "The WORLD detector" —

export const WORLDS: readonly (WorldFleet & { readonly golden: string })[] = [
  { devices: 20, weeks: 4, effectHours: 1, golden: '24, 9, 5' },
  { devices: 5, weeks: 4, effectHours: 1, golden: '51, 13, 6' },
  { devices: 3, weeks: 2, effectHours: 1, golden: '107, 25, 11' },
  { devices: 20, weeks: 4, effectHours: 6, golden: '133, 37, –' },
];
export const SHARES = [0.1, 0.2, 0.3] as const;
const worlds = WORLDS.map((one): Cell => {
  const name = `${one.devices} devices, ${one.weeks} weeks, effects of ${one.effectHours} h`;
  return {
    group: 'world',
    name,
    difference: 0,
    promise: {},
    run: (seed) => ({ ...worldRun(one, PLAN.world.falseAlarmHours, SHARES, seed) }),
  };
});
const shift: Cell = {
  group: 'shift',
  name: 'the world changes under both arms',
  difference: 0,
  promise: { rollback: 0, promoted: 0 },
  run: (seed) => ({ ...shiftRun(PLAN, seed) }),
};
const canary: Cell = {
  group: 'canary',
  name: 'a silent canary, whole reports',
  difference: 0.09,
  promise: { promoted: 0 },
  run: (seed) => silentRun(PLAN, seed),
};

export const CELLS: readonly Cell[] = [
  ...old,
  ...delay,
  ...shared,
  ...days,
  ...broken,
  ...people,
  ...liars,
  ...distrust,
  ...gone,
  ...machine,
  night,
  ...worlds,
  shift,
  canary,
];
