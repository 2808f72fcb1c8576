import type { People } from '@adbreak/hub/simulate/living-rooms.js';
import { both, evidence, fleet, PLAN } from './cell.js';
import { wandering } from './reports.js';
import { type Enter, PER_WINDOW, WINDOWS } from './scenarios.js';

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
export const people = PEOPLE.flatMap(([missing, wrong, rates]) =>
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
export const gone = [0.1, 0.5, 1].flatMap((dropLosing) =>
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
export const liars = [5, 20].flatMap((devices) =>
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
