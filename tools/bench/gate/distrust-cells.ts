import type { LivingRooms } from '@adbreak/hub/simulate/living-rooms.js';
import { evidence, fleet, GOOD_AND_WORSE } from './cell.js';
import { lateLosses } from './reports.js';
import type { Enter } from './scenarios.js';

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
export const distrust = DISTRUST.flatMap(([name, rooms, differences, enter]) =>
  differences.map((difference) =>
    evidence('distrust', name, fleet(rooms.devices, difference, rooms), {
      promise: {},
      ...(enter !== undefined && { enter }),
    }),
  ),
);
