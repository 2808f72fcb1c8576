import { overlap, type Stretch } from './timeline.js';

/** Counts of what was found, found though it is not there, and missed. */
export interface Found {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
}

export function f1Of({ truePositives, falsePositives, falseNegatives }: Found): number | null {
  const all = 2 * truePositives + falsePositives + falseNegatives;
  return all === 0 ? null : (2 * truePositives) / all;
}
export function addFound(a: Found, b: Found): Found {
  return {
    truePositives: a.truePositives + b.truePositives,
    falsePositives: a.falsePositives + b.falsePositives,
    falseNegatives: a.falseNegatives + b.falseNegatives,
  };
}
export const NOTHING_FOUND: Found = { truePositives: 0, falsePositives: 0, falseNegatives: 0 };

/**
 * Event-based: a break is found where one of the detected stretches begins and ends within `collar` seconds
 * of it. The largest possible number of pairs counts, each stretch once (Kuhn's augmenting paths), as
 * sed_eval's optimal matching does with no share of the length granted to the end.
 */
export function matchEvents(truth: readonly Stretch[], detected: readonly Stretch[], collar: number): Found {
  const near = (a: Stretch, b: Stretch) =>
    Math.abs(a.start - b.start) <= collar && Math.abs(a.end - b.end) <= collar;
  const candidates = truth.map((event) =>
    detected.flatMap((stretch, place) => (near(event, stretch) ? [place] : [])),
  );
  /** Which break each detected stretch is given to. */
  const owner = new Map<number, number>();
  const give = (event: number, seen: Set<number>): boolean => {
    for (const place of candidates[event] ?? []) {
      if (seen.has(place)) continue;
      seen.add(place);
      const before = owner.get(place);
      if (before !== undefined && !give(before, seen)) continue;
      owner.set(place, event);
      return true;
    }
    return false;
  };
  const truePositives = truth.filter((_, event) => give(event, new Set())).length;
  return {
    truePositives,
    falsePositives: detected.length - truePositives,
    falseNegatives: truth.length - truePositives,
  };
}

/**
 * Segment-based, on cells of a second: a cell holds an advertisement where any part of it does, in truth as
 * in what was detected (sed_eval's rule). Cells that no label touches are left out.
 */
export function matchCells(
  truth: readonly Stretch[],
  detected: readonly Stretch[],
  labelled: readonly Stretch[],
): Found {
  const [ads, called, known] = [cellsOf(truth), cellsOf(detected), cellsOf(labelled)];
  const count = (inTruth: boolean, isCalled: boolean) =>
    [...known].filter((cell) => ads.has(cell) === inTruth && called.has(cell) === isCalled).length;
  return {
    truePositives: count(true, true),
    falsePositives: count(false, true),
    falseNegatives: count(true, false),
  };
}

/** Numbers of the seconds that stretches touch. A border of a rounding error's width touches nothing. */
function cellsOf(stretches: readonly Stretch[]): Set<number> {
  const cells = new Set<number>();
  for (const { start, end } of stretches)
    for (let cell = Math.floor(start + 1e-9); cell < end - 1e-9; cell++) cells.add(cell);
  return cells;
}

/** Seconds of `stretches` that lie in any of `others`; the others do not overlap each other. */
export function secondsWithin(stretches: readonly Stretch[], others: readonly Stretch[]): number {
  return stretches.reduce(
    (sum, stretch) => sum + others.reduce((part, other) => part + overlap(stretch, other), 0),
    0,
  );
}
