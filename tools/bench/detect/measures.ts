/** Seconds of a recording. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}
export interface Measures {
  /** Length of the recording, seconds. */
  readonly seconds: number;
  /** Seconds with the right label. */
  readonly right: number;
  readonly breaks: number;
  readonly missed: number;
  /** What was called a break and touches none. */
  readonly falseMutes: number;
  /** Seconds of programme within what was called a break. */
  readonly muted: number;
  /** Found less true, seconds; of the breaks that were found. */
  readonly onsets: readonly number[];
  readonly ends: readonly number[];
}

/** Spans that touch become one: a break is what a viewer sees, whatever is in it. */
export function breaksOf(spans: readonly (Stretch & { readonly label: string })[]): Stretch[] {
  const breaks: { start: number; end: number }[] = [];
  for (const { start, end, label } of spans) {
    if (label !== 'ad') continue;
    const open = breaks.at(-1);
    if (open !== undefined && start - open.end < 1e-3) open.end = end;
    else breaks.push({ start, end });
  }
  return breaks;
}

/** Breaks that were found held against the true ones; both in order, without overlap. */
export function measure(truth: readonly Stretch[], found: readonly Stretch[], seconds: number): Measures {
  const both = truth.flatMap((one) => found.map((other) => overlap(one, other))).reduce((a, b) => a + b, 0);
  const muted = total(found) - both;
  const pairs = truth.map((one) => found.filter((other) => overlap(one, other) > 0));
  const edges = (edge: keyof Stretch, at: 0 | -1) =>
    pairs.flatMap((own, i) => {
      const [mine, theirs] = [own.at(at), truth[i]];
      return mine === undefined || theirs === undefined ? [] : [mine[edge] - theirs[edge]];
    });
  return {
    seconds,
    right: seconds - muted - (total(truth) - both),
    breaks: truth.length,
    missed: pairs.filter((own) => own.length === 0).length,
    falseMutes: found.filter((one) => truth.every((other) => overlap(one, other) === 0)).length,
    muted,
    onsets: edges('start', 0),
    ends: edges('end', -1),
  };
}

/** When a device acts: from the frame at which it is sure on, until it is sure of the programme again. */
export function actedOn(
  frames: readonly { readonly time: number; readonly posterior: number }[],
  { enter, leave, end }: { enter: number; leave: number; end: number },
): Stretch[] {
  const acted: { start: number; end: number }[] = [];
  let open = false;
  for (const { time, posterior } of frames) {
    if (!open && posterior >= enter) acted.push({ start: time, end });
    const last = acted.at(-1);
    if (open && posterior <= leave && last !== undefined) last.end = time;
    open = open ? posterior > leave : posterior >= enter;
  }
  return acted;
}

export function added(all: readonly Measures[]): Measures {
  const sum = (of: (one: Measures) => number) => all.reduce((so, one) => so + of(one), 0);
  return {
    seconds: sum((one) => one.seconds),
    right: sum((one) => one.right),
    breaks: sum((one) => one.breaks),
    missed: sum((one) => one.missed),
    falseMutes: sum((one) => one.falseMutes),
    muted: sum((one) => one.muted),
    onsets: all.flatMap(({ onsets }) => onsets),
    ends: all.flatMap(({ ends }) => ends),
  };
}

/** The smallest value that at least a share `q` of them does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

function overlap(a: Stretch, b: Stretch): number {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}
function total(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { start, end }) => sum + end - start, 0);
}
