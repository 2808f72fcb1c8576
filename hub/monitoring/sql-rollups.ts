import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { hourOf } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import type { Database } from '../store/sql/database.js';
import { lowest, range, removeBelow, type Statement } from '../store/sql/queries.js';
import { HOUR_MS, HOURS_OF_DAY, monthsBefore } from './calendar.js';
import { fold, KEPT_HOURS, type Key, LAG_HOURS, outlineOf, place, type Taken } from './fold.js';
import { rebuild } from './rebuild.js';
import { type HourBins, HourMean, hourBins } from './reference.js';
import { agesFrom } from './retention.js';
import type { Of, Rebuilt, Retention, Rollups } from './rollup-port.js';
import { RowStore } from './row-store.js';
import {
  DEVICE_DAY,
  type DeviceDay,
  LABELS,
  type LabelSums,
  MODEL_DAY,
  MODEL_HOUR,
  type ModelHour,
  type ModelSums,
} from './rows.js';
import { referenceRow, settledAt, settledHour, type Write } from './settled.js';

/** Rows in memory: two days of 10,000 devices at midnight, and the hours and days that their reports add to. */
const IN_MEMORY = { deviceDays: 20_000, hours: 5000, days: 5000, labels: 100 } as const;
/** A report that is being committed may have come in the hour before. */
const UNDER_WAY_MS = 5 * 60_000;
const PURGED_AT_ONCE = 500;
const SETTLED_AT_ONCE = 24;
/** A mark that is further ahead was made under a wrong clock. */
const JUMP_HOURS = 24;
/** A few weeks of a version's hours, parsed in one turn of the event loop. */
const HOURS_AT_ONCE = 200;
const REFERENCE_LIMIT = 16 * 1024;

/** What a commit of reports writes into the rollups. One of the other two is called before the next merge. */
export interface Merged {
  readonly statements: readonly Statement[];
  /** It is on disk. */
  readonly keep: () => void;
  /** It is not: rows in memory were added to already, and are forgotten. */
  readonly drop: () => void;
}
/** The rollups over rows of a database. A commit merges its reports in memory and writes each row that they touch once. */
export class SqlRollups implements Rollups {
  readonly #database: Database;
  readonly #write: Write;
  readonly #hours: RowStore<ModelHour>;
  readonly #days: RowStore<ModelSums>;
  readonly #devices: RowStore<DeviceDay>;
  readonly #labels: RowStore<LabelSums>;

  constructor(database: Database, write: Write) {
    this.#database = database;
    this.#write = write;
    this.#hours = new RowStore(database, MODEL_HOUR, IN_MEMORY.hours);
    this.#days = new RowStore(database, MODEL_DAY, IN_MEMORY.days);
    this.#devices = new RowStore(database, DEVICE_DAY, IN_MEMORY.deviceDays);
    this.#labels = new RowStore(database, LABELS, IN_MEMORY.labels);
  }

  /** Adds reports up in the order in which they were taken. */
  async merge(reports: readonly Taken[]): Promise<Merged> {
    const outlines = reports.map(outlineOf);
    const parts = outlines.flatMap((one) => one.parts);
    const rows = {
      deviceDay: await this.#devices.open(outlines.map(({ deviceRow }) => deviceRow)),
      modelHour: await this.#hours.open(parts.map(({ hourRow }) => hourRow)),
      modelDay: await this.#days.open(parts.map(({ dayRow }) => dayRow)),
      labels: await this.#labels.open(parts.map(({ labelsRow }) => labelsRow)),
    };
    const each = (what: 'keep' | 'drop') => () => {
      this.#devices[what](rows.deviceDay);
      this.#hours[what](rows.modelHour);
      this.#days[what](rows.modelDay);
      this.#labels[what](rows.labels);
    };
    const [keep, drop] = [each('keep'), each('drop')];
    try {
      for (const one of outlines) fold(rows, one);
      const statements = [rows.deviceDay, rows.modelHour, rows.modelDay, rows.labels].flatMap((of) => [
        ...of.statements(),
      ]);
      return { statements, keep, drop };
    } catch (error) {
      drop();
      throw error;
    }
  }

  async *hour(hour: number, digest: string) {
    for await (const { key, row } of this.#hours.all({ hour, digest })) yield { ...seriesOf(key), row };
  }
  async *day(day: number, digest: string) {
    for await (const { key, row } of this.#days.all({ day, digest })) yield { ...seriesOf(key), row };
  }
  async deviceDays(device: string, from: number, to: number) {
    const places = Array.from({ length: Math.max(0, to - from) }, (_, i) => place(from + i, device));
    const found = await this.#devices.find(places);
    return places.flatMap(({ id, key: [day] }) => {
      const row = found.get(id);
      return row === undefined ? [] : [[Number(day), row] as const];
    });
  }
  async labels(digest: string) {
    const at = place(digest);
    return (await this.#labels.find([at])).get(at.id) ?? null;
  }

  async means(digest: string, from: number, to: number): Promise<HourBins> {
    const means = new Map<number, readonly number[]>();
    const columns = z.object({ hour: z.int(), body: z.string() });
    for (let at = from; at < to; at += HOURS_AT_ONCE) {
      const rows = range('reference_hour', { digest }, 'hour', at, Math.min(to, at + HOURS_AT_ONCE));
      for (const row of await this.#database.rows(rows)) {
        const what = `an hour of the reference of ${this.#database.name}`;
        const { hour, body } = check(columns, row, what, 'state_corrupt');
        means.set(hour, parseJson(hourBins, body, REFERENCE_LIMIT, what, 'state_corrupt'));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    const settled = (await settledHour(this.#database)) ?? from - 1;
    for (let hour = Math.max(from, settled + 1); hour < to; hour++) {
      const mean = (await this.#sumsOf({ hour, digest })).get(digest)?.mean() ?? null;
      if (mean !== null) means.set(hour, mean);
    }
    return means;
  }

  /** By digest: an hour of all models, or of one. */
  async #sumsOf(same: { readonly hour: number; readonly digest?: string }): Promise<Map<string, HourMean>> {
    const sums = new Map<string, HourMean>();
    for await (const { key, row } of this.#hours.all({ ...same })) {
      const { digest, channel } = seriesOf(key);
      const sum = sums.get(digest) ?? new HourMean();
      sums.set(digest, sum);
      sum.add(channel, row);
    }
    return sums;
  }

  async settle(now: Date): Promise<boolean> {
    const due = hourOf(now.getTime() - UNDER_WAY_MS).hour - LAG_HOURS;
    const mark = await settledHour(this.#database);
    // Closing an hour again gives the same: where the mark is of a clock that was ahead, all are closed again.
    const known = mark === null || mark > due + JUMP_HOURS ? due - KEPT_HOURS : mark;
    // A mark that is a little ahead goes back to what is over: hours that were closed before their time are closed again.
    const last = Math.max(Math.min(known, due - (known > due ? 1 : 0)), due - KEPT_HOURS);
    if (last >= due) return false;
    const next = await this.#nextHour(last);
    const until = next === null ? due : Math.min(due, next + SETTLED_AT_ONCE - 1);
    await this.#settleHours(next ?? due, until);
    return until < due;
  }

  /** The first hour after one that has rows; null where none has. */
  async #nextHour(last: number): Promise<number | null> {
    const [row] = await this.#database.rows(lowest('model_hour', 'hour', last));
    const columns = z.object({ lowest: z.int().nullable() });
    return check(columns, row, `the next hour of ${this.#database.name}`, 'state_corrupt').lowest;
  }

  async #settleHours(first: number, last: number): Promise<void> {
    const statements: Statement[] = [];
    for (let hour = first; hour <= last; hour++)
      for (const [digest, sum] of await this.#sumsOf({ hour }))
        statements.push(...referenceRow(hour, digest, sum));
    await this.#write([...statements, settledAt(last)]);
  }

  async agesFrom(now: Date): Promise<Date | null> {
    const hour = await agesFrom(this.#database, now);
    return hour === null ? null : new Date(hour * HOUR_MS);
  }

  async purge(now: Date, { hourMonths, dayMonths }: Retention): Promise<boolean> {
    const from = await agesFrom(this.#database, now);
    if (from === null) return false;
    const cuts: [table: string, column: string, below: number][] = [
      ['model_hour', 'hour', monthsBefore(from, hourMonths)],
      ['reference_hour', 'hour', from - KEPT_HOURS + 1],
    ];
    if (dayMonths !== null)
      for (const table of ['model_day', 'device_day'])
        cuts.push([table, 'day', Math.floor(monthsBefore(from, dayMonths) / HOURS_OF_DAY)]);
    let more = false;
    for (const [table, column, below] of cuts) {
      const { changed } = await this.#write([removeBelow(table, column, below, PURGED_AT_ONCE)]);
      more ||= changed >= PURGED_AT_ONCE;
    }
    return more;
  }

  async rebuild(now: Date, onDay: (day: number) => void = () => undefined): Promise<Rebuilt> {
    const kept = [this.#hours, this.#days, this.#devices];
    try {
      return await rebuild(this.#database, this.#write, { now, onDay });
    } finally {
      for (const rows of kept) rows.forget();
    }
  }

  /** Rows that are held in memory, of all kinds. */
  get inMemory(): number {
    return [this.#hours, this.#days, this.#devices, this.#labels].reduce((sum, one) => sum + one.inMemory, 0);
  }
}

function seriesOf([, digest = '', channel = '', hardware = '']: Key): Of {
  return { digest: String(digest), channel: String(channel), hardware: String(hardware) };
}
