/** Windows that were closed already, first and last start, without a gap between them. */
interface Run {
  readonly first: number;
  readonly last: number;
}
/** The window that is open, by its start, and those that were closed. Milliseconds since 1970. */
export interface Windows {
  readonly length: number;
  readonly start: number;
  readonly closed: readonly Run[];
}

/** Runs that are remembered. A new one begins when the agent was off for longer than a window, or the clock stepped. */
export const MOST_RUNS = 32;

/** Windows begin at multiples of their length (UTC), so that the windows of all devices are the same ones. */
export function openWindow(length: number, now: number): Windows {
  return { length, start: alignedTo(length, now), closed: [] };
}

export function endOf({ start, length }: Windows): number {
  return start + length;
}

/**
 * What a look at the clock leads to: the same object while the window stays open, else the next one.
 *
 * No start comes twice, whatever the clock does: where the window of this moment was closed before, the next free one is
 * open early. A small step back changes nothing, the open window waits for its time. After a large one (the clock had been
 * ahead by mistake) the windows follow the clock back, unless all that it came back to were closed before; they never
 * stay in a future that is none.
 */
export function turn(windows: Windows, now: number): Windows {
  const { length, start } = windows;
  if (now >= start - length && now < start + length) return windows;
  const closed = close(windows);
  const next = nextFree(length, closed, alignedTo(length, now));
  return now < start && next > start ? windows : { length, start: next, closed };
}

function alignedTo(length: number, now: number): number {
  return Math.floor(now / length) * length;
}

/** The runs with the open window added; the one that grew last comes last, the first is forgotten when they are too many. */
function close({ length, start, closed }: Windows): readonly Run[] {
  const before = closed.find(({ last }) => last + length === start);
  const after = closed.find(({ first }) => first - length === start);
  const grown = { first: before?.first ?? start, last: after?.last ?? start };
  return [...closed.filter((run) => run !== before && run !== after), grown].slice(-MOST_RUNS);
}

function nextFree(length: number, closed: readonly Run[], from: number): number {
  const run = closed.find(({ first, last }) => first <= from && from <= last);
  return run === undefined ? from : nextFree(length, closed, run.last + length);
}
