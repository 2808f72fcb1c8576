import { type Scenario, scenario } from '@adbreak/hub/simulate/scenario.js';
import { simulateRollout } from '@adbreak/hub/simulate/simulate.js';
import { ALPHA, type Cell, DISTRUST_SHARE, GOOD_AND_WORSE, type Group, PLAN } from './cell.js';
import { nightRun } from './reports.js';

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
export const machine: Cell[] = [
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
export const night: Cell = {
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
