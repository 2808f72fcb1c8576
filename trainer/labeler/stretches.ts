/** What of a recording is known beside its pictures; all times in seconds. */
export interface Marks {
  readonly duration: number;
  readonly cuts: readonly number[];
  readonly black: readonly (readonly [number, number])[];
  readonly silence: readonly (readonly [number, number])[];
}
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** A stretch that is worth a look. */
export const SHORTEST = 1;
/** What a person can say one word on: longer ones are divided at a cut. */
const LONGEST = 60;
/** Black and silence together are a border; so near to each other they are one. */
const NEAR = 0.5;

/** A recording in stretches that begin and end where something else may: at black or silence with a cut, else at some cut. */
export function stretchesOf(marks: Marks): Stretch[] {
  const borders = [0, ...strongBorders(marks), marks.duration];
  return borders.slice(1).flatMap((end, i) => divided({ start: borders[i] ?? 0, end }, marks.cuts));
}

function strongBorders({ cuts, black, silence, duration }: Marks): number[] {
  const dark = black.map(([from, to]) => (from + to) / 2);
  const still = silence.flatMap(
    ([from, to]) => cuts.find((cut) => cut > from - NEAR && cut < to + NEAR) ?? [],
  );
  const borders: number[] = [];
  for (const at of [...dark, ...still].sort((a, b) => a - b))
    if (at - (borders.at(-1) ?? 0) >= SHORTEST && duration - at >= SHORTEST) borders.push(at);
  return borders;
}

/** Halves, at the cut next to the middle, until none is too long. */
function divided({ start, end }: Stretch, cuts: readonly number[]): Stretch[] {
  if (end - start <= LONGEST) return [{ start, end }];
  const middle = (start + end) / 2;
  const reach = (end - start) / 4;
  const near = cuts.filter((cut) => Math.abs(cut - middle) < reach);
  const at = near.reduce(
    (best, cut) => (Math.abs(cut - middle) < Math.abs(best - middle) ? cut : best),
    near[0] ?? middle,
  );
  return [...divided({ start, end: at }, cuts), ...divided({ start: at, end }, cuts)];
}

/** What is left of a stretch without those that lie in it, in order; crumbs are left out. `taken` is in order. */
export function without({ start, end }: Stretch, taken: readonly Stretch[]): Stretch[] {
  const left: Stretch[] = [];
  let from = start;
  for (const one of taken) {
    if (one.end <= from || one.start >= end) continue;
    if (one.start - from >= SHORTEST) left.push({ start: from, end: one.start });
    from = Math.max(from, one.end);
  }
  if (end - from >= SHORTEST) left.push({ start: from, end });
  return left;
}
