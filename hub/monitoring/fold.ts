import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { HOURS_OF_WEEK, hourOf } from '@adbreak/shared/evidence/world.js';
import { absorbLabels, noLabels, saturated } from '../rollouts/evidence.js';
import { clusterOfSlice } from '../rollouts/slices.js';
import { HOURS_OF_DAY } from './calendar.js';
import {
  coarse,
  type DeviceDay,
  type LabelSums,
  MOST_SERIES,
  type ModelHour,
  type ModelSums,
  type Series,
} from './rows.js';

/** What comes later is no part of the reference that WORLD is measured against, as an hour of a rollout waits no longer either. */
export const LAG_HOURS = 3;
/** Four reference weeks, and what a rollout of two weeks adds. Windows that are older when they come are refused. */
export const KEPT_HOURS = 7 * HOURS_OF_WEEK;

export type Arm = 'production' | 'candidate';
/** What the hub knew of a report when it took it, beside the report itself. */
export interface TakenFacts {
  /** Windows that the device made since its last one and that never came. */
  readonly missing: number;
  /** It tells of a time that an earlier window told of. */
  readonly twice: boolean;
  /** Arms whose model was not registered. */
  readonly unknown: readonly Arm[];
}
/** A report as the rollups take it in. */
export interface Taken extends TakenFacts {
  readonly device: string;
  readonly report: WindowReport;
  /** When it came, by the hub's clock, milliseconds since the epoch. */
  readonly received: number;
}

export type Key = readonly (string | number)[];
/** A row's place in its table; the id tells it from all others of the table. */
export interface Place {
  readonly id: string;
  readonly key: Key;
}
export function place(...key: Key): Place {
  return { id: key.join('\u0000'), key };
}

/** One model's part in a report, and the rows that it adds to. */
export interface Part {
  readonly arm: Arm;
  readonly digest: string;
  readonly bins: readonly (readonly [number, number])[];
  readonly latency: readonly (readonly [number, number])[];
  readonly detail: NonNullable<WindowReport['labelled']['detail']>['candidate'];
  readonly acts: boolean;
  readonly hourRow: Place;
  readonly dayRow: Place;
  readonly labelsRow: Place;
}
/** Where a report belongs. Days and hours are UTC, by the start of the window, since the epoch. */
export interface Outline {
  readonly taken: Taken;
  /** Of its device: the day of the window, or where that is refused for its age, the day on which it came. */
  readonly deviceRow: Place;
  readonly hourOfDay: number;
  readonly old: boolean;
  readonly inTime: boolean;
  readonly channel: string;
  readonly parts: readonly Part[];
}

/**
 * When a window counts, by its start and when it came, milliseconds since the epoch. `day`: its own, or for one that is refused
 * for its age the day on which it came.
 */
export function timesOf(start: number, received: number) {
  const [{ hour }, { hour: current }] = [hourOf(start), hourOf(received)];
  const old = hour <= current - KEPT_HOURS;
  const day = Math.floor((old ? current : hour) / HOURS_OF_DAY);
  return { hour, day, old, inTime: hour > current - LAG_HOURS };
}

export function outlineOf(taken: Taken): Outline {
  const { report, device } = taken;
  const { hour, day, old, inTime } = timesOf(Date.parse(report.start), taken.received);
  const channel = clusterOfSlice(report.slice);
  return {
    taken,
    deviceRow: place(day, device),
    hourOfDay: hour - Math.floor(hour / HOURS_OF_DAY) * HOURS_OF_DAY,
    old,
    inTime,
    channel,
    parts: old || taken.twice ? [] : partsOf(report, hour, day, channel),
  };
}

function partsOf(report: WindowReport, hour: number, day: number, channel: string): Part[] {
  const { hardware } = report.slice;
  const parts: Part[] = [];
  for (const arm of ['production', 'candidate'] as const) {
    const [digest, histogram] = [report[arm], report.histograms[arm]];
    if (digest === null || histogram === null) continue;
    parts.push({
      arm,
      digest,
      bins: histogram.bins,
      latency: report.latency[arm] ?? [],
      detail: report.labelled.detail?.[arm] ?? null,
      acts: report.serving === arm,
      hourRow: place(hour, digest, channel, hardware),
      dayRow: place(day, digest, channel, hardware),
      labelsRow: place(digest),
    });
  }
  return parts;
}

/** Rows that may be changed: as they are, or empty ones. */
export interface Editable<Row> {
  edit(place: Place): Row;
}
export interface Rows {
  readonly modelHour: Editable<ModelHour>;
  readonly modelDay: Editable<ModelSums>;
  readonly deviceDay: Editable<DeviceDay>;
  readonly labels: Editable<LabelSums>;
}

/**
 * Adds one report to the rows that it touches. What it does depends on the report, on what the hub knew when it took it, and on
 * the rows of its own day alone: reports that are kept give the same rows again.
 */
export function fold(rows: Rows, outline: Outline): void {
  const { taken, old, parts } = outline;
  const { report } = taken;
  const device = rows.deviceDay.edit(outline.deviceRow);
  device.windows = saturated(device.windows + 1);
  device.missing = saturated(device.missing + taken.missing);
  if (old) device.refused.old += 1;
  else if (taken.twice) device.refused.twice += 1;
  else addDevice(device, report);
  // Missing windows are those of the arm that acted, where it adds up.
  for (const part of parts) {
    if (taken.unknown.includes(part.arm)) device.refused.unknown += 1;
    else addPart(rows, device, outline, part);
  }
}

function addDevice(device: DeviceDay, report: WindowReport): void {
  device.episodes = saturated(device.episodes + report.episodes);
  device.frames = saturated(device.frames + report.frames);
  device.adFrames = saturated(device.adFrames + report.adFrames);
  device.dropped = saturated(device.dropped + report.dropped);
  device.restarts = saturated(device.restarts + report.restarts);
  device.downloadFailures = saturated(device.downloadFailures + report.downloadFailures);
  device.memoryMb = Math.max(device.memoryMb, report.memoryMb);
}

function addPart(rows: Rows, device: DeviceDay, outline: Outline, part: Part): void {
  const { taken, channel, inTime } = outline;
  const series = seriesOf(device, part.digest, channel, taken.report.slice.hardware);
  if (series === null) {
    device.refused.series += 1;
    return;
  }
  const hour = 1 << outline.hourOfDay;
  const [hourRow, dayRow] = [rows.modelHour.edit(part.hourRow), rows.modelDay.edit(part.dayRow)];
  if ((series.hours & hour) === 0) hourRow.devices += 1;
  if (series.hours === 0) dayRow.devices += 1;
  series.hours |= hour;
  for (const row of [hourRow, dayRow]) addSums(row, taken, part);
  if (part.bins.length === 0) return;
  if (inTime) {
    if (!device.series.some((one) => isOf(one, part.digest, channel) && (one.shown & hour) !== 0))
      hourRow.first += 1;
    series.shown |= hour;
  } else {
    hourRow.late ??= hourRow.bins.map(() => 0);
    addBins(hourRow.late, part.bins);
  }
  absorbLabels(rows.labels.edit(part.labelsRow), part.bins, part.detail);
}

function isOf(series: Series, digest: string, channel: string): boolean {
  return series.digest === digest && series.channel === channel;
}

/** The device's own entry, made where there is room; null where it has named too many. */
function seriesOf({ series }: DeviceDay, digest: string, channel: string, hardware: string): Series | null {
  const known = series.find((one) => isOf(one, digest, channel) && one.hardware === hardware);
  if (known !== undefined) return known;
  if (series.length >= MOST_SERIES) return null;
  const made = { digest, channel, hardware, hours: 0, shown: 0 };
  series.push(made);
  return made;
}

function addSums(row: ModelSums, { report, missing }: Taken, { bins, latency, detail, acts }: Part): void {
  row.windows = saturated(row.windows + 1);
  addBins(row.bins, bins);
  for (const [bucket, n] of latency) row.latency[bucket] = saturated((row.latency[bucket] ?? 0) + n);
  if (detail !== null) {
    row.labels ??= { confusion: noLabels().confusion, tenths: noLabels().tenths };
    absorbLabels({ ...row.labels, histogram: [] }, [], detail);
  }
  if (!acts) return;
  row.acted = saturated(row.acted + 1);
  row.missing = saturated(row.missing + missing);
  row.frames = saturated(row.frames + report.frames);
  row.adFrames = saturated(row.adFrames + report.adFrames);
  row.dropped = saturated(row.dropped + report.dropped);
  row.restarts = saturated(row.restarts + report.restarts);
}

function addBins(into: number[], bins: readonly (readonly [number, number])[]): void {
  for (const [bin, n] of bins) into[coarse(bin)] = saturated((into[coarse(bin)] ?? 0) + n);
}
