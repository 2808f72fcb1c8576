import type { Cell } from './cell.js';
import { distrust } from './distrust-cells.js';
import { machine, night } from './machine-cells.js';
import { gone, liars, people } from './people-cells.js';
import { broken, days, delay, old, shared } from './room-cells.js';
import { canary, shift, worlds } from './world-cells.js';

/** Every cell of `make bench-gates`, in the order in which they run. */
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
