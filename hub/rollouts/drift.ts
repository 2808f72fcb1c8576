import { BINS, type WindowReport } from '@adbreak/shared/contract/messages.js';
import {
  type DisagreementDetector,
  disagreementEvidence,
  startDetector,
  watchDisagreements,
} from '@adbreak/shared/evidence/disagreement.js';
import { fleetShare } from '@adbreak/shared/evidence/intervals.js';
import {
  type Calibration,
  calibrate,
  hourOf,
  isCalm,
  startWorld,
  WORLD_BINS,
  type WorldState,
  watchAlarm,
  watchWorld,
  worldEvidence,
} from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { z } from 'zod';
import { saturated } from './evidence.js';
import type { Plan } from './plan.js';
import { loudest } from './windows.js';

const count = z.int().nonnegative();
const histogram = z.array(count).length(WORLD_BINS);
/** Means over devices are fractions. */
export const reference = z
  .array(z.array(z.array(z.number().nonnegative()).length(WORLD_BINS).nullable()).length(168))
  .max(8);
/** One channel in one hour, with who reported: its average weighs one device's counts, however many watch it. */
const openHour = z.record(
  z.string(),
  z.object({ devices: z.array(z.string()), production: histogram, episodes: count, disagreements: count }),
);
/** By channel, in one hour of the plan's day: how many of how many episodes differed while that was being learned. */
const usual = z.array(
  z.record(
    z.string(),
    z.object({ episodes: z.number().nonnegative(), disagreements: z.number().nonnegative() }),
  ),
);

/** What a rollout knows of drift: hours that still fill, and the two detectors that take closed ones. */
export const drift = z.object({
  reference: reference.nullable(),
  /** By hour since the epoch. */
  open: z.record(z.string(), openHour),
  /** Hours up to this one are closed; what comes late counts as evidence, not as drift. */
  closed: z.int().nonnegative(),
  hours: count,
  episodes: count,
  late: count,
  misdated: count,
  world: z
    .object({
      lanes: z.array(z.array(z.array(z.number()))),
      windows: count,
      last: z.array(z.number()),
      strange: z.array(z.int().min(0).max(1)),
      alarmAt: count.nullable(),
    })
    .nullable(),
  usual,
  /** First hour that is learned from; and by hour of the day, the usual share of disagreements at most, once a whole day was seen. */
  learningSince: z.int().nullable(),
  baselines: z.array(z.number()).nullable(),
  disagreement: z.object({ baseline: z.number(), statistics: z.array(z.number()) }).nullable(),
  disagreementAlarm: z.boolean(),
});
export type Drift = z.infer<typeof drift>;

export function noDrift(from: Drift['reference'], startedHour: number): Drift {
  return {
    reference: from,
    open: {},
    closed: startedHour - 1,
    hours: 0,
    episodes: 0,
    late: 0,
    misdated: 0,
    world: null,
    usual: [],
    learningSince: null,
    baselines: null,
    disagreement: null,
    disagreementAlarm: false,
  };
}

/** What lies further back than this has a wrong clock behind it. */
const FARTHEST_HOURS = 24 * 30;

/** Files a report under the hour in which it began, which lies in the past by the hub's clock; in place, as `absorb`. */
export function absorbHour(state: Drift, device: string, cluster: string, report: WindowReport): void {
  const { hour } = hourOf(Date.parse(report.start));
  if (hour < state.closed - FARTHEST_HOURS) {
    state.misdated += 1;
    return;
  }
  if (hour <= state.closed) {
    state.late += 1;
    return;
  }
  if (report.episodes === 0) return;
  state.open[hour] ??= {};
  const there = state.open[hour];
  const open = ownValue(there, cluster) ?? {
    devices: [],
    production: Array<number>(WORLD_BINS).fill(0),
    episodes: 0,
    disagreements: 0,
  };
  there[cluster] = open;
  if (!open.devices.includes(device)) open.devices.push(device);
  addCoarse(open.production, report.histograms.production.bins);
  open.episodes = saturated(open.episodes + report.episodes);
  open.disagreements = saturated(
    open.disagreements + (report.joint === null ? 0 : report.joint[0][1] + report.joint[1][0]),
  );
}

/** Adds a report's 256 bins to the detector's coarser ones. */
export function addCoarse(into: number[], bins: readonly (readonly [number, number])[]): void {
  for (const [bin, n] of bins) {
    const at = Math.floor((bin * WORLD_BINS) / BINS);
    into[at] = saturated((into[at] ?? 0) + n);
  }
}

/** Calibrating reads every reference hour; a rollout keeps its reference for life. */
const calibrations = new WeakMap<object, Calibration | null>();
export function calibrationOf(from: Drift['reference']): Calibration | null {
  if (from === null) return null;
  const known = calibrations.get(from);
  if (known !== undefined) return known;
  const made = calibrate(from);
  calibrations.set(from, made);
  return made;
}

const LEAST_EPISODES_OF_AN_HOUR = 10;
/** Episodes from which the usual share of disagreements is learned before rises are looked for. */
const LEARN_EPISODES = 500;

/** Closes the hours that can fill no more and shows them to the detectors; pure. The seed makes a replay draw the same U. */
export function closeHours(state: Drift, plan: Plan, now: Date, seed: string): Drift {
  const past = hourOf(now.getTime() - plan.lagHours * 3_600_000).hour - 1;
  const due = Object.keys(state.open)
    .map(Number)
    .filter((hour) => hour <= past)
    .sort((a, b) => a - b);
  // No hour is closed that no report has named: a clock of the hub that was ahead for a moment makes nothing late.
  const last = due.at(-1);
  if (last === undefined) return state;
  const calibration = calibrationOf(state.reference);
  let next: Drift = { ...state, usual: structuredClone(state.usual) };
  for (const hour of due) {
    const channels = Object.entries(state.open[hour] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (channels.length === 0) continue;
    const slot = hour % slotsOf(plan);
    const detectors =
      next.baselines === null
        ? next
        : { ...next, disagreement: withBaseline(next.disagreement, next.baselines[slot]) };
    next = {
      ...next,
      ...storable(
        watchHour(detectors, calibration, plan, average(channels, hour, plan), seeded(`${seed}/${hour}`)),
      ),
    };
    if (next.baselines === null) next = learn(next, channels, slot, hour, plan);
  }
  const open = Object.fromEntries(Object.entries(state.open).filter(([hour]) => Number(hour) > last));
  return { ...next, open, closed: Math.max(state.closed, last) };
}

type Channel = readonly [cluster: string, Drift['open'][string][string]];

/**
 * An hour of the fleet: each channel is the mean of its devices, so that devices that come and go do not look like drift. One
 * that claims many times the others' episodes is the world no more than it is evidence: it weighs as the most that may be said.
 */
function average(channels: readonly Channel[], hour: number, plan: Plan): ClosedHour {
  const histogram = Array<number>(WORLD_BINS).fill(0);
  let [episodes, disagreements] = [0, 0];
  const most = loudest(
    channels.map(([, one]) => one.episodes / one.devices.length),
    plan,
  );
  for (const [, one] of channels) {
    const said = one.episodes / one.devices.length;
    const weight = Math.min(1, most / said) / one.devices.length;
    one.production.forEach((n, bin) => {
      histogram[bin] = (histogram[bin] ?? 0) + weight * n;
    });
    episodes += weight * one.episodes;
    disagreements += weight * one.disagreements;
  }
  return {
    ofWeek: hour % 168,
    histogram,
    episodes: Math.round(episodes),
    disagreements: Math.round(disagreements),
  };
}

/** Hours of the plan's day, each with a baseline of its own: a rollout that begins at night must not be alarmed by the evening. */
function slotsOf({ dayHours }: Plan): number {
  return Math.max(1, Math.round(dayHours));
}
function withBaseline(detector: Drift['disagreement'], baseline: number | undefined): Drift['disagreement'] {
  return detector === null || baseline === undefined ? detector : { ...detector, baseline };
}

/** Gathers a whole day, then sets each hour's baseline: the upper end of its interval over channels, of its neighbours', and of the day's. */
function learn(state: Drift, channels: readonly Channel[], slot: number, hour: number, plan: Plan): Drift {
  const slots = slotsOf(plan);
  const kept: Drift['usual'] = Array.from({ length: slots }, (_, i) => state.usual[i] ?? {});
  for (const [cluster, one] of channels) {
    const own = kept[slot] ?? {};
    const known = ownValue(own, cluster) ?? { episodes: 0, disagreements: 0 };
    const weight = 1 / one.devices.length;
    own[cluster] = {
      episodes: known.episodes + weight * one.episodes,
      disagreements: known.disagreements + weight * one.disagreements,
    };
    kept[slot] = own;
  }
  const learningSince = state.learningSince ?? hour;
  const gathered = { ...state, usual: kept, learningSince };
  const units = kept.flatMap((own) => Object.values(own));
  const episodes = units.reduce((sum, one) => sum + one.episodes, 0);
  if (hour - learningSince + 1 < slots || episodes < LEARN_EPISODES || units.length < 2) return gathered;
  const high = (counts: readonly { episodes: number; disagreements: number }[]) =>
    counts.length < 2
      ? 0
      : fleetShare(
          counts.map((one) => ({ episodes: one.episodes, right: Math.min(one.episodes, one.disagreements) })),
          0.95,
        ).high;
  const whole = high(units);
  const hours = kept.map((own) => {
    const counts = Object.values(own);
    const n = counts.reduce((sum, one) => sum + one.episodes, 0);
    return n < LEAST_EPISODES_OF_AN_HOUR
      ? 0
      : Math.max(high(counts), counts.reduce((sum, one) => sum + one.disagreements, 0) / n);
  });
  const baselines = hours.map((own, i) => {
    const around = Math.max(own, hours[(i + 1) % slots] ?? 0, hours[(i + slots - 1) % slots] ?? 0, whole);
    return Math.min(0.5, Math.max(0.005, around));
  });
  const { baseline, statistics } = startDetector(whole === 0 ? 0.5 : Math.min(0.5, Math.max(0.005, whole)));
  return { ...gathered, usual: [], baselines, disagreement: { baseline, statistics: [...statistics] } };
}

/** Both detectors and what they have seen. */
export interface Detectors {
  readonly world: WorldState | null;
  readonly disagreement: DisagreementDetector | null;
  readonly disagreementAlarm: boolean;
  readonly hours: number;
  readonly episodes: number;
}
export interface ClosedHour {
  readonly ofWeek: number;
  readonly histogram: readonly number[];
  readonly disagreements: number;
  readonly episodes: number;
}

/** Shows one hour of the fleet to the detectors; pure, and the same for real fleets and simulated ones. */
export function watchHour(
  before: Detectors,
  calibration: Calibration | null,
  plan: Plan,
  hour: ClosedHour,
  random: Random,
): Detectors {
  const { falseAlarmHours } = plan.world;
  const [hours, episodes] = [before.hours + 1, saturated(before.episodes + hour.episodes)];
  const world =
    calibration !== null && hour.episodes >= LEAST_EPISODES_OF_AN_HOUR
      ? watchAlarm(
          calibration,
          watchWorld(
            calibration,
            before.world ?? startWorld(calibration),
            hour.ofWeek,
            hour.histogram,
            random,
          ),
          falseAlarmHours,
        )
      : before.world;
  if (before.disagreement === null) return { ...before, world, hours, episodes };
  // The promise is one false alarm in so many hours; this detector counts episodes, so it gets the hours' worth of them.
  const limit = (falseAlarmHours * Math.max(1, episodes)) / hours;
  const disagreement = watchDisagreements(
    before.disagreement,
    hour.disagreements,
    hour.episodes,
    MOST_ABOVE * limit,
  );
  return {
    world,
    disagreement,
    disagreementAlarm: stillAlarmed(before.disagreementAlarm, disagreementEvidence(disagreement), limit),
    hours,
    episodes,
  };
}

/** Copies in the mutable types that the state's schema infers. */
function storable({
  world,
  disagreement,
  disagreementAlarm,
  hours,
  episodes,
}: Detectors): Pick<Drift, keyof Detectors> {
  return {
    world: world && {
      ...world,
      lanes: world.lanes.map((lane) => lane.map((one) => [...one])),
      last: [...world.last],
      strange: [...world.strange],
    },
    disagreement: disagreement && {
      baseline: disagreement.baseline,
      statistics: [...disagreement.statistics],
    },
    disagreementAlarm,
    hours,
    episodes,
  };
}

export interface DriftVerdict {
  /** Evidence that the world changed under production; null without a reference of two weeks. */
  readonly world: number | null;
  readonly worldAlarm: boolean;
  /** An alarm, or evidence on its way to one: a hundredth of it, and hours that are not calm. The evidence of an unchanged world is about its hours, so after two days a hundredth alone says nothing. */
  readonly worldDoubt: boolean;
  /** Evidence that the two models differ more than they used to; null while that is being learned. */
  readonly disagreement: number | null;
  readonly disagreementAlarm: boolean;
}

/** Where the two detectors stand; pure. */
export function driftOf(
  { world: state, disagreement, disagreementAlarm }: Detectors,
  { world: { falseAlarmHours } }: Plan,
): DriftVerdict {
  const world = state === null ? null : worldEvidence(state);
  const worldAlarm = state !== null && state.alarmAt !== null;
  return {
    world,
    worldAlarm,
    worldDoubt:
      worldAlarm || (state !== null && world !== null && world >= DOUBT * falseAlarmHours && !isCalm(state)),
    disagreement: disagreement === null ? null : disagreementEvidence(disagreement),
    disagreementAlarm,
  };
}

/** Evidence this far below the alarm keeps harm from rolling back, and ends an alarm of the disagreements. */
const DOUBT = 1 / 100;
/** Their statistics rise no further than this above the alarm, so that they fall within hours when the rise is over. */
const MOST_ABOVE = 100;
/** An alarm of the disagreements stands until their evidence has fallen far below the limit. */
function stillAlarmed(before: boolean, evidence: number, limit: number): boolean {
  return evidence >= (before ? DOUBT * limit : limit);
}
