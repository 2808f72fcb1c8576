import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { HOURS_OF_WEEK, hourOf, WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import { addCoarse } from '../rollouts/drift.js';
import { absorbLabels, armLabels, noLabels } from '../rollouts/evidence.js';
import { hasRoom } from '../rollouts/room.js';

/** Hourly histograms of each model version's p(ad), over the whole fleet: what WORLD is measured against. */
export const modelHours = z.object({
  /** By hour since the epoch. */
  hours: z.record(z.string(), z.array(z.int().nonnegative()).length(WORLD_BINS)),
  /** All labels and confidences of the version, summed. */
  labels: armLabels,
});
export type ModelHours = z.infer<typeof modelHours>;

/** Four reference weeks, and what a rollout of two weeks adds. */
const KEPT_HOURS = 7 * HOURS_OF_WEEK;
const REFERENCE_WEEKS = 4;
/** A week is a reference when this share of its hours was watched. */
const COMPLETE = 0.9;

/** What is taken in: the hub's own time, and the digests of versions that it has registered. */
interface Watch {
  readonly now: number;
  readonly digests: ReadonlySet<string>;
}

/**
 * Adds a report's histograms under both its models' digests, in place. Hours older than seven weeks are forgotten, and not
 * taken in; nor are models that the hub does not know, and sums that would outgrow whole numbers: what devices can make the
 * hub keep has an end.
 */
export function absorbHours(all: Record<string, ModelHours>, report: WindowReport, { now, digests }: Watch): void {
  const { hour } = hourOf(Date.parse(report.start));
  const oldest = hourOf(now).hour - KEPT_HOURS;
  if (hour <= oldest) return;
  const { detail } = report.labelled;
  for (const [digest, histogram, labels] of [
    [report.production, report.histograms.production, detail?.production ?? null],
    [report.candidate, report.histograms.candidate, detail?.candidate ?? null],
  ] as const) {
    if (digest === null || histogram === null || histogram.bins.length === 0 || !digests.has(digest)) continue;
    const known = (Object.hasOwn(all, digest) ? all[digest] : undefined) ?? { hours: {}, labels: noLabels() };
    if (!hasRoom([known.labels, known.hours[hour]])) continue;
    absorbLabels(known.labels, histogram.bins, labels);
    if (known.hours[hour] === undefined) forget(all, oldest);
    const bins = known.hours[hour] ?? Array<number>(WORLD_BINS).fill(0);
    addCoarse(bins, histogram.bins);
    known.hours[hour] = bins;
    all[digest] = known;
  }
}

/** With each new hour: what is older than seven weeks, and versions that nobody has run since then. */
function forget(all: Record<string, ModelHours>, oldest: number): void {
  for (const [digest, { hours }] of Object.entries(all)) {
    for (const hour of Object.keys(hours)) if (Number(hour) <= oldest) delete hours[hour];
    if (Object.keys(hours).length === 0) delete all[digest];
  }
}

/** The last weeks before an instant, newest first, as far as they were watched; null where there is none. Weeks end at that hour, so every hour of the week comes once in each. */
export function referenceWeeks(known: ModelHours | undefined, now: number): (number[] | null)[][] | null {
  if (known === undefined) return null;
  const end = hourOf(now).hour;
  const weeks = Array.from({ length: REFERENCE_WEEKS }, (_, back) => {
    const week: (number[] | null)[] = Array(HOURS_OF_WEEK).fill(null);
    for (let i = 1; i <= HOURS_OF_WEEK; i++) {
      const hour = end - back * HOURS_OF_WEEK - i;
      // A copy: late reports go on filling the hours of the fleet, and a rollout keeps the reference it began with.
      const bins = known.hours[hour];
      week[hour % HOURS_OF_WEEK] = bins === undefined ? null : [...bins];
    }
    return week;
  }).filter((week) => week.filter((one) => one !== null).length >= COMPLETE * HOURS_OF_WEEK);
  return weeks.length === 0 ? null : weeks;
}
