import { streamId, type WindowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';

const count = z.int().nonnegative();
/** Averages are fractions. */
const amount = z.number().nonnegative();

/** Episodes at one draw rate. zeros: agreed, or not drawn. open: drawn, without an answer so far. */
export const tally = z.object({
  rate: z.number().gt(0).max(1),
  zeros: amount,
  wins: amount,
  losses: amount,
  open: amount,
});
export const tallies = z.array(tally).max(9);
export type Tally = z.infer<typeof tally>;

/** A device may name so many places in one rollout; one that goes on naming new ones is no cluster of its own each time. */
export const MOST_PLACES = 3;

const healthArm = z.object({
  hours: amount,
  restarts: count,
  /** Windows with enough inferences to tell, and those in which the candidate was slow, or memory over the limit. */
  windows: count,
  slow: count,
  over: count,
});
export type HealthArm = z.infer<typeof healthArm>;

/** A device's part of a cluster's averages: its counts divided by the devices that reported in the same window. */
const part = z.object({
  cluster: z.string(),
  tallies,
  /** The same inside its site and its hardware, where the plan looks at those: averaged over the devices of that slice. */
  slices: z.record(z.string(), tallies),
});

/** What one device has contributed to a rollout. */
export const deviceEvidence = z.object({
  /** Highest window sequence of its stream counted: what comes again is a duplicate. */
  sequence: count,
  stream: streamId.optional(),
  slice: z.object({ channel: z.string(), site: z.string(), hardware: z.string() }),
  /** The channel it belongs to, and the places (channel, site, hardware) that it has named in this rollout. */
  cluster: z.string(),
  named: z.array(z.string()).max(MOST_PLACES),
  /** Windows heard of, and the last one, by number since the epoch. */
  windows: count,
  lastWindow: z.int(),
  /** Length of its last report that spanned a border of the plan's windows, seconds; 0 where none did. */
  reportSeconds: count.default(0),
  /** Distinct episodes, and on how many of them the two models differed. */
  episodes: count,
  differ: count,
  /** Its own counts, not averaged: what tells it from the others. */
  own: tallies,
  parts: z.array(part),
  /** Draws that wait for a person by its own last word; answers to control items. */
  waiting: count,
  control: z.object({ asked: count, answered: count, wrong: count }),
  /** Windows in which nobody could be asked. */
  unasked: count,
  /** Reports that counted. */
  reports: count.default(0),
  /** Windows that it made and that never came; those that do not count yet; and the episodes that they count as. */
  lost: z
    .object({ windows: count, owed: count, episodes: count })
    .default(() => ({ windows: 0, owed: 0, episodes: 0 })),
  health: z.object({ acting: healthArm, own: healthArm }),
});
export type DeviceEvidence = z.infer<typeof deviceEvidence>;

/** Draws of a window that may still be answered, by the start of the device's own window. */
const draw = z.object({ start: z.number(), rate: z.number(), open: count });
/** A device's counts in a window that is not closed yet. */
const openEntry = z.object({
  cluster: z.string(),
  slices: z.record(z.string(), z.literal(true)),
  tallies,
  draws: z.array(draw),
  episodes: count,
  acts: z.boolean(),
});
export type OpenEntry = z.infer<typeof openEntry>;
/** A device's draws in a closed window that still wait, and what they weigh in the averages. */
const waitingEntry = z.object({
  cluster: z.string(),
  /** Null where the window did not count for the fleet's days. */
  day: z.int().nullable(),
  weight: z.number(),
  slices: z.record(z.string(), z.number()),
  draws: z.array(draw),
});

const latency = z.array(count).length(64);
export const RECENT_WINDOWS = 24;
export const armLabels = z.object({
  /** By [truth][vote]. */
  confusion: z.tuple([z.tuple([count, count]), z.tuple([count, count])]),
  /** Labelled episodes and how many were right, by tenth of p(ad). */
  tenths: z.array(z.tuple([count, count])).length(10),
  /** Episodes by 64ths of p(ad), labelled or not. */
  histogram: z.array(count).length(64),
});

/** All of a rollout's evidence: a function of closed windows, and of the answers to their draws. */
export const evidence = z.object({
  devices: z.record(z.string(), deviceEvidence),
  /** By number of the window, then by device; where it has changed channel within the window, by device and cluster. */
  open: z.record(z.string(), z.record(z.string(), openEntry)),
  waiting: z.record(z.string(), z.record(z.string(), waitingEntry)),
  /** Windows up to this number are closed. */
  closed: z.int(),
  /** Rises with each change of what devices have contributed or where they are: what was made of the evidence before is old then. */
  revision: count.default(0),
  /** When a report came last, and until when nothing is closed since one came after a long silence of all; milliseconds since the epoch. */
  heard: z.number().nullable().default(null),
  holdUntil: z.number().default(0),
  closedWindows: count,
  /** What the last windows added when they were closed, for people: by channel averages, all channels together. */
  recent: z
    .array(
      z.object({
        window: z.int(),
        devices: count,
        episodes: amount,
        wins: amount,
        losses: amount,
        open: amount,
      }),
    )
    .max(RECENT_WINDOWS),
  /** By day: the averages of all channels added up. They begin anew when devices are judged apart from then on. */
  days: z.record(z.string(), tallies),
  /** Distinct episodes where the candidate acted, averaged over the acting devices of a channel. */
  actingEpisodes: amount,
  /** Reports that gave no evidence, by reason. */
  refused: z.object({
    /** After their window was closed. */
    late: count,
    /** Over the border of a window. */
    unaligned: count,
    /** From a window that has not begun. */
    misdated: count,
    /** Of a device, a pair or an arm that this rollout did not put there. */
    foreign: count,
    /** From a place beyond those that one device may name. */
    wandering: count,
    /** Many times the others' episodes in a window, or more reports than a window can hold. */
    loud: count,
    /** Answers to draws that were not drawn, or are over. */
    answers: count,
  }),
  downloadFailures: count,
  latency: z.object({ production: latency, candidate: latency }),
  labels: z.object({ production: armLabels, candidate: armLabels }),
});
export type Evidence = z.infer<typeof evidence>;
export type ArmLabels = z.infer<typeof armLabels>;

const zeros = (n: number) => Array<number>(n).fill(0);
export function noLabels(): ArmLabels {
  return {
    confusion: [
      [0, 0],
      [0, 0],
    ],
    tenths: Array.from({ length: 10 }, (): [number, number] => [0, 0]),
    histogram: zeros(64),
  };
}

/** @param closed the window in which the rollout begins: what ended before it counts for nothing */
export function noEvidence(closed: number): Evidence {
  return {
    devices: {},
    open: {},
    waiting: {},
    closed,
    revision: 0,
    heard: null,
    holdUntil: 0,
    closedWindows: 0,
    recent: [],
    days: {},
    actingEpisodes: 0,
    refused: { late: 0, unaligned: 0, misdated: 0, foreign: 0, wandering: 0, loud: 0, answers: 0 },
    downloadFailures: 0,
    latency: { production: zeros(64), candidate: zeros(64) },
    labels: { production: noLabels(), candidate: noLabels() },
  };
}

export function noHealth(): HealthArm {
  return { hours: 0, restarts: 0, windows: 0, slow: 0, over: 0 };
}
export function noDevice(slice: DeviceEvidence['slice'], cluster: string): DeviceEvidence {
  return {
    sequence: 0,
    slice,
    cluster,
    named: [placeOf(slice)],
    windows: 0,
    lastWindow: -1,
    reportSeconds: 0,
    episodes: 0,
    differ: 0,
    own: [],
    parts: [],
    waiting: 0,
    control: { asked: 0, answered: 0, wrong: 0 },
    unasked: 0,
    reports: 0,
    lost: { windows: 0, owed: 0, episodes: 0 },
    health: { acting: noHealth(), own: noHealth() },
  };
}

/** No name holds a line feed: a schema would have refused it. */
export function placeOf({ channel, site, hardware }: DeviceEvidence['slice']): string {
  return [channel, site, hardware].join('\n');
}

/** By name: the same sums after a restart, and whoever reported first. */
export function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Adds `by` times other counts to one rate's, in place; a rate that is new gets a place of its own. */
export function addTally(into: Tally[], { rate, zeros: z0, wins, losses, open }: Tally, by = 1): void {
  let own: Tally | undefined;
  for (const one of into) if (one.rate === rate) own = one;
  if (own === undefined) {
    own = { rate, zeros: 0, wins: 0, losses: 0, open: 0 };
    into.push(own);
    // In one order, whichever rate came first: sums of fractions are the same then, to the last digit.
    into.sort((a, b) => b.rate - a.rate);
  }
  own.zeros += by * z0;
  own.wins += by * wins;
  own.losses += by * losses;
  // An answer takes its draw back; what is left of a rounding must not become negative.
  own.open = Math.max(0, own.open + by * open);
}

export function addTallies(into: Tally[], more: readonly Tally[], by = 1): void {
  for (const one of more) addTally(into, one, by);
}

/** Says that devices' tallies or places are not what they were. */
export function changed(sums: Evidence): void {
  sums.revision = saturated(sums.revision + 1);
}

type Counted = Pick<Evidence, 'revision'>;
/**
 * A function of devices' tallies and places, of who is judged apart and of the share of wrong answers, computed once for each revision of the evidence: the
 * gate looks far more often than windows close. Its value must not be changed.
 */
export function perRevision<
  State extends { readonly evidence: Counted; readonly setAside: object; readonly excluded: object },
  T,
>(compute: (state: State, wrong: number) => T): (state: State, wrong?: number) => T {
  interface Known {
    readonly key: readonly unknown[];
    readonly value: T;
  }
  const known = new WeakMap<Counted, Known>();
  return (state, wrong = 0) => {
    const key = [state.evidence.revision, state.setAside, state.excluded, wrong];
    const last = known.get(state.evidence);
    if (last?.key.every((one, i) => one === key[i]) === true) return last.value;
    const value = compute(state, wrong);
    known.set(state.evidence, { key, value });
    return value;
  };
}

/** All of some tallies in one, each `clusters` times. */
export function sumOf(
  all: Iterable<{ readonly tallies: readonly Tally[]; readonly clusters?: number }>,
): Tally[] {
  const sum: Tally[] = [];
  for (const { tallies: some, clusters = 1 } of all) addTallies(sum, some, clusters);
  return sum;
}

/** Episodes, and what is known of their disagreements. */
export interface Totals {
  readonly episodes: number;
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
}
export function totalOf(all: readonly Tally[]): Totals {
  let [episodes, wins, losses, open] = [0, 0, 0, 0];
  for (const one of all) {
    episodes += one.zeros + one.wins + one.losses + one.open;
    wins += one.wins;
    losses += one.losses;
    open += one.open;
  }
  return { episodes, wins, losses, open };
}

export function absorbLabels(
  sums: ArmLabels,
  bins: readonly (readonly [number, number])[],
  detail: NonNullable<WindowReport['labelled']['detail']>['candidate'],
): void {
  for (const [bin, n] of bins) sums.histogram[bin >> 2] = saturated((sums.histogram[bin >> 2] ?? 0) + n);
  if (detail === null) return;
  for (const truth of [0, 1] as const)
    for (const vote of [0, 1] as const)
      sums.confusion[truth][vote] = saturated(sums.confusion[truth][vote] + detail.confusion[truth][vote]);
  for (const [tenth, n, right] of detail.tenths) {
    const [episodes, ok] = sums.tenths[tenth] ?? [0, 0];
    sums.tenths[tenth] = [saturated(episodes + n), saturated(ok + right)];
  }
}

/** A sum of what devices say stays a whole number that can be read again, whatever they say. */
export function saturated(sum: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, sum);
}
