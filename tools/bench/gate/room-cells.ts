import type { LivingRooms } from '@adbreak/hub/simulate/living-rooms.js';
import { ALPHA, both, errors, evidence, fleet } from './cell.js';
import { type Looks, WINDOWS } from './scenarios.js';

// — the cells of earlier gates: every device a channel of its own, every disagreement answered —

export const FLEETS = [5, 20, 50] as const;
export const CORRELATIONS = [0, 0.02, 0.1] as const;
export const old = FLEETS.flatMap((devices) =>
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
export const delay = DELAYS.map(([correlation, difference, suspend, shown]) =>
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
export const shared = SHARED.flatMap(([name, rooms]) =>
  both((difference) =>
    evidence('shared', name, fleet(rooms.devices, difference, rooms), { looks: FIVE_DAYS }),
  ),
);

export const days = [20, 50].flatMap((devices) =>
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

export const broken = [
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
