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
  startWorld,
  WORLD_BINS,
  type WorldState,
  watchAlarm,
  watchWorld,
  worldEvidence,
} from '@adbreak/shared/evidence/world.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { z } from 'zod';
import type { Evidence } from './evidence.js';
import type { Plan } from './plan.js';

const count = z.int().nonnegative();
const histogram = z.array(count).length(WORLD_BINS);
export const reference = z.array(z.array(histogram.nullable()).length(168)).max(8);
const openHour = z.object({ production: histogram, episodes: count, disagreements: count });

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
    disagreement: null,
    disagreementAlarm: false,
  };
}

/** A week's reports come within this time of the rollout's clock, or their own clock is wrong. */
const FARTHEST_HOURS = 24 * 30;

/** Files a report under the hour in which it began; in place, as `absorb`. */
export function absorbHour(state: Drift, report: WindowReport): void {
  const { hour } = hourOf(Date.parse(report.start));
  if (hour < state.closed - FARTHEST_HOURS || hour > state.closed + FARTHEST_HOURS) {
    state.misdated += 1;
    return;
  }
  if (hour <= state.closed) {
    state.late += 1;
    return;
  }
  const open = state.open[hour] ?? {
    production: Array<number>(WORLD_BINS).fill(0),
    episodes: 0,
    disagreements: 0,
  };
  addCoarse(open.production, report.histograms.production.bins);
  open.episodes += report.episodes;
  open.disagreements += report.joint === null ? 0 : report.joint[0][1] + report.joint[1][0];
  state.open[hour] = open;
}

/** Adds a report's 256 bins to the detector's coarser ones. */
export function addCoarse(into: number[], bins: readonly (readonly [number, number])[]): void {
  for (const [bin, n] of bins) {
    const at = Math.floor((bin * WORLD_BINS) / BINS);
    into[at] = (into[at] ?? 0) + n;
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
export function closeHours(state: Drift, plan: Plan, evidence: Evidence, now: Date, seed: string): Drift {
  const last = hourOf(now.getTime() - plan.world.lagHours * 3_600_000).hour - 1;
  const due = Object.keys(state.open)
    .map(Number)
    .filter((hour) => hour <= last)
    .sort((a, b) => a - b);
  const learned = state.disagreement ?? learn(evidence);
  // Time goes on without reports too: what comes later is late, not misdated.
  if (due.length === 0)
    return learned === state.disagreement && last <= state.closed
      ? state
      : { ...state, closed: Math.max(state.closed, last), disagreement: learned };
  const calibration = calibrationOf(state.reference);
  let detectors: Detectors = { ...state, disagreement: learned };
  for (const hour of due) {
    const closing = state.open[hour];
    if (closing !== undefined)
      detectors = watchHour(
        detectors,
        calibration,
        plan,
        { ...closing, histogram: closing.production, ofWeek: hour % 168 },
        seeded(`${seed}/${hour}`),
      );
  }
  const open = Object.fromEntries(Object.entries(state.open).filter(([hour]) => Number(hour) > last));
  return { ...state, ...storable(detectors), open, closed: Math.max(state.closed, last) };
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
  const [hours, episodes] = [before.hours + 1, before.episodes + hour.episodes];
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

/** The usual share of disagreements, as the upper end of its interval over devices: the detector must not alarm at what was there all along. */
function learn({ devices }: Evidence): Drift['disagreement'] {
  const counts = Object.values(devices).map(({ episodes, wins, losses, undecided }) => ({
    episodes,
    right: wins + losses + undecided,
  }));
  const episodes = counts.reduce((sum, one) => sum + one.episodes, 0);
  if (episodes < LEARN_EPISODES || counts.filter((one) => one.episodes > 0).length < 2) return null;
  const { high } = fleetShare(counts, 0.95);
  const { baseline, statistics } = startDetector(Math.min(0.5, Math.max(0.005, high)));
  return { baseline, statistics: [...statistics] };
}

export interface DriftVerdict {
  /** Evidence that the world changed under production; null without a reference of two weeks. */
  readonly world: number | null;
  readonly worldAlarm: boolean;
  /** An alarm, or evidence on its way to one: a hundredth of it. */
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
    worldDoubt: worldAlarm || (world !== null && world >= DOUBT * falseAlarmHours),
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
