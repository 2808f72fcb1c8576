import type { HourBins } from './reference.js';
import type { DeviceDay, LabelSums, ModelHour, ModelSums } from './rows.js';

/** How long rollups are kept; what comes after the end of a month's day is counted back in months of the calendar, UTC. */
export interface Retention {
  readonly hourMonths: number;
  /** Null: for ever. */
  readonly dayMonths: number | null;
}

/** Where a model's row belongs. */
export interface Of {
  readonly digest: string;
  readonly channel: string;
  readonly hardware: string;
}
export interface Rebuilt {
  /** Days since the epoch, UTC, that were computed again; null where raw reports of no whole day are kept. */
  readonly days: { readonly first: number; readonly last: number } | null;
  readonly reports: number;
  readonly rows: number;
}

/** What reports add up to, as far as it is read: rows come from the store, some at a time. Days and hours are since the epoch, UTC. */
export interface Rollups {
  hour(hour: number, digest: string): AsyncIterable<Of & { readonly row: ModelHour }>;
  day(day: number, digest: string): AsyncIterable<Of & { readonly row: ModelSums }>;
  /** A device's days of [from, to), oldest first; days without a window are left out. */
  deviceDays(device: string, from: number, to: number): Promise<(readonly [day: number, row: DeviceDay])[]>;
  /** All labels and confidences of a version; null for one that nobody has run. */
  labels(digest: string): Promise<LabelSums | null>;
  /** Hours of [from, to) as the reference knows them, those that still fill as far as they are filled. */
  means(digest: string, from: number, to: number): Promise<HourBins>;
  /** Closes hours whose time is over for the reference, one at a time; whether there may be more. */
  settle(now: Date): Promise<boolean>;
  /** The instant from which ages are counted (retention.ts); null where nothing is old. */
  agesFrom(now: Date): Promise<Date | null>;
  /** Forgets what is older than it is kept, a few hundred rows at a time; whether there may be more. */
  purge(now: Date, retention: Retention): Promise<boolean>;
  /** Computes the rows of days of which all raw reports are kept again, from those; each day in one transaction. */
  rebuild(now: Date, onDay?: (day: number) => void): Promise<Rebuilt>;
}
