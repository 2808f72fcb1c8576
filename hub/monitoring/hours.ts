import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { HOURS_OF_WEEK, hourOf, WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { z } from 'zod';
import { addCoarse } from '../rollouts/drift.js';
import { absorbLabels, armLabels, noLabels } from '../rollouts/evidence.js';
import { clusterOfSlice } from '../rollouts/slices.js';

/** A channel's hour: the sum of the devices that reported, and who they were. */
export const channelHour = z.object({
  devices: z.array(z.string()),
  bins: z.array(z.int().nonnegative()).length(WORLD_BINS),
});

/** An hour that is over, in episodes of an average device. */
export const hourBins = z.array(z.number().nonnegative()).length(WORLD_BINS);
/** All labels and confidences of a version. */
export const labelSums = armLabels;

/** Hourly histograms of each model version's p(ad), each channel as the mean of its devices: what WORLD is measured against. */
export const modelHours = z.object({
  /** Hours that are over, by hour since the epoch: the channels' means added up. */
  hours: z.record(z.string(), hourBins),
  /** Hours that still fill, by channel. */
  open: z.record(z.string(), z.record(z.string(), channelHour)).default({}),
  /** All labels and confidences of the version, summed. */
  labels: labelSums,
});
export type ModelHours = z.infer<typeof modelHours>;

/** An hour waits this long for late reports; what comes after is no part of the reference. */
const LAG_HOURS = 3;
/** Four reference weeks, and what a rollout of two weeks adds. */
const KEPT_HOURS = 7 * HOURS_OF_WEEK;
const REFERENCE_WEEKS = 4;
const DAY_HOURS = 24;
/** A week is a reference when this share of its hours was watched. */
const COMPLETE = 0.9;

/** What is taken in: the hub's own time, and the digests of versions that it has registered. */
interface Watch {
  readonly now: number;
  readonly digests: ReadonlySet<string>;
}

/**
 * Adds a report's histograms under both its models' digests: puts new entries in the place of those it changes, which stay as they
 * were. Hours older than seven weeks are forgotten, and not
 * taken in; nor are models that the hub does not know: what devices can make the hub keep has an end. A sum that would outgrow
 * whole numbers stays full, and the others go on.
 */
export function absorbHours(
  all: Record<string, ModelHours>,
  device: string,
  report: WindowReport,
  { now, digests }: Watch,
): void {
  const { hour } = hourOf(Date.parse(report.start));
  const current = hourOf(now).hour;
  if (hour <= current - KEPT_HOURS) return;
  const { detail } = report.labelled;
  for (const [digest, histogram, labels] of [
    [report.production, report.histograms.production, detail?.production ?? null],
    [report.candidate, report.histograms.candidate, detail?.candidate ?? null],
  ] as const) {
    if (digest === null || histogram === null || histogram.bins.length === 0 || !digests.has(digest))
      continue;
    const before = ownValue(all, digest);
    if (before?.open[hour] === undefined) close(all, current);
    // Closing forgets versions that nobody has run for long; this one runs again, and its labels are its own.
    const known = ownValue(all, digest) ?? { hours: {}, open: {}, labels: before?.labels ?? noLabels() };
    const summed = copyOf(known.labels);
    absorbLabels(summed, histogram.bins, labels);
    const open =
      hour <= current - LAG_HOURS
        ? known.open
        : {
            ...known.open,
            [hour]: added(known.open[hour], clusterOfSlice(report.slice), device, histogram.bins),
          };
    all[digest] = { ...known, open, labels: summed };
  }
}

/** By hand: every report copies two of them, and a structured clone costs ten times as much. */
function copyOf({ confusion, tenths, histogram }: ModelHours['labels']): ModelHours['labels'] {
  const [content, ad] = confusion;
  return {
    confusion: [[...content], [...ad]],
    tenths: tenths.map(([n, right]) => [n, right]),
    histogram: [...histogram],
  };
}

type Channels = ModelHours['open'][string];
function added(
  before: Channels = {},
  cluster: string,
  device: string,
  bins: readonly (readonly [number, number])[],
): Channels {
  const known = ownValue(before, cluster);
  const channel = {
    devices: known?.devices ?? [],
    bins: [...(known?.bins ?? Array<number>(WORLD_BINS).fill(0))],
  };
  addCoarse(channel.bins, bins);
  if (!channel.devices.includes(device)) channel.devices = [...channel.devices, device];
  return { ...before, [cluster]: channel };
}

/** Each channel weighs what one of its devices saw, so that devices that come and go do not look like drift. */
function average(channels: Readonly<Record<string, z.infer<typeof channelHour>>>): number[] {
  const mean = Array<number>(WORLD_BINS).fill(0);
  for (const { devices, bins } of Object.values(channels))
    for (const [bin, n] of bins.entries()) mean[bin] = (mean[bin] ?? 0) + n / devices.length;
  // Three decimals of an episode are enough, and short in the hub's document.
  return mean.map((n) => Math.round(1000 * n) / 1000);
}

/** With each new hour: those whose time is over are averaged, and what is older than seven weeks goes, with versions that nobody has run since then. */
function close(all: Record<string, ModelHours>, current: number): void {
  for (const [digest, known] of Object.entries(all)) {
    const over = Object.keys(known.open).filter((hour) => Number(hour) <= current - LAG_HOURS);
    if (over.length === 0) continue;
    const means = over.map((hour): [string, number[]] => [hour, average(known.open[hour] ?? {})]);
    all[digest] = {
      ...known,
      hours: { ...known.hours, ...Object.fromEntries(means) },
      open: without(known.open, over),
    };
  }
  forget(all, Math.min(current, settled(all, current) + DAY_HOURS) - KEPT_HOURS);
}

function without<T>(hours: Readonly<Record<string, T>>, gone: readonly string[]): Record<string, T> {
  const left = { ...hours };
  for (const hour of gone) delete left[hour];
  return left;
}

/** The newest hour known that is a day old. After a jump of the hub's clock, that is one of before it until a day has passed: nothing is forgotten for a clock that is wrong for less. */
function settled(all: Readonly<Record<string, ModelHours>>, current: number): number {
  let newest = 0;
  for (const { hours, open } of Object.values(all))
    for (const hour of [...Object.keys(hours), ...Object.keys(open)].map(Number))
      if (hour > newest && hour <= current - DAY_HOURS) newest = hour;
  return newest;
}

function forget(all: Record<string, ModelHours>, oldest: number): void {
  for (const [digest, known] of Object.entries(all)) {
    const old = Object.keys(known.hours).filter((hour) => Number(hour) <= oldest);
    if (old.length < Object.keys(known.hours).length || Object.keys(known.open).length > 0) {
      if (old.length > 0) all[digest] = { ...known, hours: without(known.hours, old) };
    } else delete all[digest];
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
      const filling = known.open[hour];
      const bins = known.hours[hour] ?? (filling === undefined ? undefined : average(filling));
      // A copy: a rollout keeps the reference it began with.
      week[hour % HOURS_OF_WEEK] = bins === undefined ? null : [...bins];
    }
    return week;
  }).filter((week) => week.filter((one) => one !== null).length >= COMPLETE * HOURS_OF_WEEK);
  return weeks.length === 0 ? null : weeks;
}
