import { firstIndex } from '../bisect.js';
import type { Random } from '../random.js';

/**
 * Has the world changed? A conformal test martingale (Vovk 2021) on hourly histograms of production's p(ad), because no
 * model of the noise holds: programmes differ between weeks and devices. docs/statistics.md, "The WORLD detector". Pure;
 * chance comes as U.
 */
export const HOURS_OF_WEEK = 168;
/** Coarse bins lose .003 standard deviations of W1 at most (docs/gate-figures.md, "Bins"), and four weeks of them are small. */
export const WORLD_BINS = 64;
const HOUR_MS = 3_600_000;

/** Counts of p(ad) by reference week and hour of the week; null where nothing was watched. UTC, hour 0 = Thursday 0:00, as the epoch. */
export type Reference = readonly (readonly (readonly number[] | null)[])[];

export const SCORES = ['shape', 'confidence falls', 'ad rate rises', 'ad rate falls'] as const;
export type Scores = readonly [shape: number, confidenceFall: number, rateRise: number, rateFall: number];

/** How strange a window is beside a reference histogram of the same hour: normed W1, fall of mean confidence, rise and fall of the ad rate. */
export function scoresOf(window: readonly number[], reference: readonly number[]): Scores {
  const [a, b] = [summary(window), summary(reference)];
  let [difference, w1] = [0, 0];
  for (let i = 0; i < window.length - 1; i++) {
    difference += (window[i] ?? 0) / a.total - (reference[i] ?? 0) / b.total;
    w1 += Math.abs(difference);
  }
  const rate = a.adRate - b.adRate;
  return [w1 / window.length / Math.max(0.001, b.deviation), b.confidence - a.confidence, rate, -rate];
}

function summary(bins: readonly number[]) {
  let [total, mean, square, confidence, ads] = [0, 0, 0, 0, 0];
  for (let i = 0; i < bins.length; i++) {
    const count = bins[i] ?? 0;
    if (count === 0) continue;
    const p = (i + 0.5) / bins.length;
    total += count;
    mean += count * p;
    square += count * p * p;
    confidence += count * Math.max(p, 1 - p);
    if (p >= 0.5) ads += count;
  }
  return {
    total,
    confidence: confidence / total,
    adRate: ads / total,
    deviation: Math.sqrt(Math.max(0, square / total - (mean / total) ** 2)),
  };
}

/** A reference ready for use. */
export interface Calibration {
  readonly weeks: number;
  /** Per kind of score, the reference weeks' own scores against the others, ascending. */
  readonly scores: readonly (readonly number[])[];
  /** Windows between two that may count as unrelated: so many detectors take turns. */
  readonly lag: number;
  /** By hour of the week, the weeks' histograms. */
  readonly hours: readonly (readonly (readonly number[])[])[];
}

const LEAST_WEEKS = 2;
const MOST_LAG = 24;
const UNRELATED = 0.1;

/** Scores each reference week against the others, all hours pooled; null with fewer than two weeks: no WORLD verdict is possible then. */
export function calibrate(reference: Reference): Calibration | null {
  if (reference.length < LEAST_WEEKS) return null;
  const hours = Array.from({ length: HOURS_OF_WEEK }, (_, hour) =>
    reference.flatMap((week) => week[hour] ?? []).length === 0
      ? []
      : reference.map((week) => week[hour] ?? null).filter((one) => one !== null),
  );
  const series = reference.map((week) =>
    Array.from({ length: HOURS_OF_WEEK }, (_, hour): Scores | null => {
      const own = week[hour] ?? null;
      const others = reference
        .filter((other) => other !== week)
        .flatMap((other) => (other[hour] == null ? [] : [other[hour]]));
      return own === null || others.length === 0 ? null : scoresOf(own, addUp(others));
    }),
  );
  const scores = SCORES.map((_, kind) =>
    series.flatMap((week) => week.flatMap((one) => one?.[kind] ?? [])).sort((a, b) => a - b),
  );
  if ((scores[0]?.length ?? 0) < HOURS_OF_WEEK) return null;
  return { weeks: reference.length, scores, lag: unrelatedLag(series), hours };
}

/** The first lag at which the scores' autocorrelation, averaged over kinds, is under .1; at most a day. */
function unrelatedLag(series: readonly (readonly (Scores | null)[])[]): number {
  for (let lag = 1; lag < MOST_LAG; lag++) {
    const mean = SCORES.reduce((sum, _, kind) => sum + autocorrelation(series, kind, lag), 0) / SCORES.length;
    if (mean < UNRELATED) return lag;
  }
  return MOST_LAG;
}

function autocorrelation(series: readonly (readonly (Scores | null)[])[], kind: number, lag: number): number {
  const values = series.flatMap((week) => week.flatMap((one) => one?.[kind] ?? []));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  let [sum, pairs] = [0, 0];
  for (const week of series) {
    for (let hour = 0; hour + lag < week.length; hour++) {
      const [a, b] = [week[hour]?.[kind], week[hour + lag]?.[kind]];
      if (a === undefined || b === undefined) continue;
      sum += (a - mean) * (b - mean);
      pairs += 1;
    }
  }
  return pairs === 0 || variance === 0 ? 0 : sum / pairs / variance;
}

export function addUp(histograms: readonly (readonly number[])[]): number[] {
  const total = Array<number>(histograms[0]?.length ?? 0).fill(0);
  for (const one of histograms)
    for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + (one[i] ?? 0);
  return total;
}

/**
 * p = (#{greater} + U (#{equal} + K)) / (N + K): uniform where the window is like the reference. K scores that go together
 * count as one: with N scores of which only every K-th is unrelated, the tail beyond them all holds K/(N + K), not 1/(N + 1).
 */
export function conformalP(sorted: readonly number[], score: number, u: number, together = 1): number {
  const [low, high] = [bound(sorted, score, false), bound(sorted, score, true)];
  return (sorted.length - high + u * (high - low + together)) / (sorted.length + together);
}

/** The first index whose value is not below (or, `beyond`, above) a score. */
function bound(sorted: readonly number[], score: number, beyond: boolean): number {
  return firstIndex(sorted.length, (i) => {
    const value = sorted[i] ?? 0;
    return value > score || (!beyond && value === score);
  });
}

const EXPONENTS = [0.1, 0.3, 0.5, 0.7, 0.9] as const;
const LARGEST = 1e300;

/** Shiryaev-Roberts statistics, [detector that takes turns][score][exponent]; and what was seen. */
export interface WorldState {
  readonly lanes: readonly (readonly (readonly number[])[])[];
  readonly windows: number;
  /** p-values of the last window, one for each score. */
  readonly last: readonly number[];
  /** Of the last 48 windows: 1 where one of the scores was strange (p <= .05), else 0. */
  readonly strange: readonly number[];
  /** The window of the alarm that stands; null for none. */
  readonly alarmAt: number | null;
}

export function startWorld(calibration: Calibration): WorldState {
  return {
    lanes: Array.from({ length: calibration.lag }, () => SCORES.map(() => EXPONENTS.map(() => 0))),
    windows: 0,
    last: [],
    strange: [],
    alarmAt: null,
  };
}

/** The reference histogram a new window is held against: all weeks less one drawn at random, so that its score has the calibration scores' law. Null where the hour was not watched often enough. */
function heldAgainst(calibration: Calibration, hourOfWeek: number, random: Random): number[] | null {
  const weeks = calibration.hours[hourOfWeek] ?? [];
  if (weeks.length < LEAST_WEEKS) return null;
  const left = random.integer(weeks.length);
  return addUp(weeks.filter((_, i) => i !== left));
}

/** Takes one hour's histogram in: R <- (R + 1) e p^(e - 1) for each score and exponent, in the detector whose turn it is. */
export function watchWorld(
  calibration: Calibration,
  state: WorldState,
  hourOfWeek: number,
  histogram: readonly number[],
  random: Random,
): WorldState {
  const reference = heldAgainst(calibration, hourOfWeek, random);
  if (reference === null || histogram.every((count) => count === 0)) return state;
  const last = scoresOf(histogram, reference).map((score, kind) =>
    conformalP(calibration.scores[kind] ?? [], score, random.uniform(), calibration.lag),
  );
  const turn = state.windows % state.lanes.length;
  const lanes = state.lanes.map((lane, i) =>
    i !== turn
      ? lane
      : lane.map((statistics, kind) =>
          statistics.map((statistic, k) => {
            const exponent = EXPONENTS[k] ?? 0.5;
            return Math.min(
              LARGEST,
              (statistic + 1) * exponent * Math.max(1e-12, last[kind] ?? 1) ** (exponent - 1),
            );
          }),
        ),
  );
  const strange = [...state.strange, Number(Math.min(...last) <= STRANGE)].slice(-RECENT);
  return { ...state, lanes, windows: state.windows + 1, last, strange };
}

/** Two days; and the share of strange hours in them that an unchanged world has at most, as a rule: .15, against .35 where a tenth of the episodes became uncertain (measured: docs/decisions/009-gate.md). */
const RECENT = 48;
const STRANGE = 0.05;
const CALM = 0.2;

/**
 * Raises the alarm where the evidence reaches c, and lowers it after two days once they were calm; the statistics begin
 * afresh then. They themselves would not do: after a change that lasted they need weeks to fall, and in a changed world they
 * dip below c in every quiet hour.
 */
export function watchAlarm(calibration: Calibration, state: WorldState, c: number): WorldState {
  if (state.alarmAt === null) return worldEvidence(state) >= c ? { ...state, alarmAt: state.windows } : state;
  if (state.windows - state.alarmAt < RECENT || !isCalm(state)) return state;
  return { ...startWorld(calibration), windows: state.windows, last: state.last, strange: state.strange };
}

/** The last two days had no more strange hours than an unchanged world has. */
export function isCalm({ strange }: Pick<WorldState, 'strange'>): boolean {
  return strange.reduce((sum, one) => sum + one, 0) <= CALM * strange.length;
}

/** The evidence that the world has changed: an alarm at c comes falsely once in c windows on average, since lanes are averaged and each saw its share of the windows only. */
export function worldEvidence({ lanes }: WorldState): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return mean(lanes.map((lane) => mean(lane.map(mean)))) * lanes.length;
}

/** Hour of the week (0..167, UTC) and number of the hour since the epoch. */
export function hourOf(instant: number): { readonly hour: number; readonly ofWeek: number } {
  const hour = Math.floor(instant / HOUR_MS);
  return { hour, ofWeek: ((hour % HOURS_OF_WEEK) + HOURS_OF_WEEK) % HOURS_OF_WEEK };
}
