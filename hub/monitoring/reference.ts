import { HOURS_OF_WEEK, hourOf, WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import type { ModelHour } from './rows.js';

/** An hour of a version, in episodes of an average device: the channels' means added up. */
export const hourBins = z.array(z.number().nonnegative()).length(WORLD_BINS);
/** By hour since the epoch. */
export type HourBins = ReadonlyMap<number, readonly number[]>;

export const REFERENCE_WEEKS = 4;
/** A week is a reference when this share of its hours was watched. */
const COMPLETE = 0.9;

/**
 * Each channel weighs what one of its devices saw, so that devices that come and go do not look like drift. Episodes that came
 * too late for a rollout to count them are left out here too: the reference is then of the same kind as what is held against it.
 */
export class HourMean {
  readonly #channels = new Map<string, { devices: number; readonly bins: number[] }>();

  add(channel: string, { first, bins, late }: Pick<ModelHour, 'first' | 'bins' | 'late'>): void {
    const known = this.#channels.get(channel) ?? { devices: 0, bins: Array<number>(WORLD_BINS).fill(0) };
    this.#channels.set(channel, known);
    known.devices += first;
    // A sum that is full holds less than its parts.
    for (const [bin, n] of bins.entries())
      known.bins[bin] = (known.bins[bin] ?? 0) + Math.max(0, n - (late?.[bin] ?? 0));
  }

  /** Null where nobody showed an episode in time. */
  mean(): number[] | null {
    const mean = Array<number>(WORLD_BINS).fill(0);
    // By name, so that fractions are added in the same order whoever asks.
    const watched = [...this.#channels].filter(([, { devices }]) => devices > 0).sort(byName);
    for (const [, { devices, bins }] of watched)
      for (const [bin, n] of bins.entries()) mean[bin] = (mean[bin] ?? 0) + n / devices;
    // Three decimals of an episode are enough.
    return watched.length === 0 ? null : mean.map((n) => Math.round(1000 * n) / 1000);
  }
}
const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

/** The hours that `referenceWeeks` looks at: from, and up to but without. */
export function referenceHours(now: number): readonly [from: number, to: number] {
  const end = hourOf(now).hour;
  return [end - REFERENCE_WEEKS * HOURS_OF_WEEK, end];
}

/** The last weeks before an instant, newest first, as far as they were watched; null where there is none. Weeks end at that hour, so every hour of the week comes once in each. */
export function referenceWeeks(known: HourBins, now: number): (number[] | null)[][] | null {
  const end = hourOf(now).hour;
  const weeks = Array.from({ length: REFERENCE_WEEKS }, (_, back) => {
    const week: (number[] | null)[] = Array(HOURS_OF_WEEK).fill(null);
    for (let i = 1; i <= HOURS_OF_WEEK; i++) {
      const hour = end - back * HOURS_OF_WEEK - i;
      const bins = known.get(hour);
      week[hour % HOURS_OF_WEEK] = bins === undefined ? null : [...bins];
    }
    return week;
  }).filter((week) => week.filter((one) => one !== null).length >= COMPLETE * HOURS_OF_WEEK);
  return weeks.length === 0 ? null : weeks;
}
