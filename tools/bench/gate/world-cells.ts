import { type Cell, PLAN } from './cell.js';
import { silentRun } from './reports.js';
import { shiftRun, type WorldFleet, worldRun } from './scenarios.js';

// — the world: docs/gate-figures.md, "The WORLD detector" —

export const WORLDS: readonly (WorldFleet & { readonly golden: string })[] = [
  { devices: 20, weeks: 4, effectHours: 1, golden: '24, 9, 5' },
  { devices: 5, weeks: 4, effectHours: 1, golden: '51, 13, 6' },
  { devices: 3, weeks: 2, effectHours: 1, golden: '107, 25, 11' },
  { devices: 20, weeks: 4, effectHours: 6, golden: '133, 37, –' },
];
export const SHARES = [0.1, 0.2, 0.3] as const;
export const worlds = WORLDS.map((one): Cell => {
  const name = `${one.devices} devices, ${one.weeks} weeks, effects of ${one.effectHours} h`;
  return {
    group: 'world',
    name,
    difference: 0,
    promise: {},
    run: (seed) => ({ ...worldRun(one, PLAN.world.falseAlarmHours, SHARES, seed) }),
  };
});
export const shift: Cell = {
  group: 'shift',
  name: 'the world changes under both arms',
  difference: 0,
  promise: { rollback: 0, promoted: 0 },
  run: (seed) => ({ ...shiftRun(PLAN, seed) }),
};
export const canary: Cell = {
  group: 'canary',
  name: 'a silent canary, whole reports',
  difference: 0.09,
  promise: { promoted: 0 },
  run: (seed) => silentRun(PLAN, seed),
};
