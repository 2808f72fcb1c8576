import { MESSAGE_LIMIT, windowReport } from '@adbreak/shared/contract/messages.js';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { hourOf } from '@adbreak/shared/evidence/world.js';
import { z } from 'zod';
import type { Database } from '../store/sql/database.js';
import {
  find,
  oldest,
  put,
  removeRange,
  reportsOf,
  reportTimes,
  type Statement,
} from '../store/sql/queries.js';
import { CLOCK_TOLERANCE_MS, DAY_MS, dateOf, HOURS_OF_DAY } from './calendar.js';
import { fold, KEPT_HOURS, outlineOf, type Taken, timesOf } from './fold.js';
import { HourMean } from './reference.js';
import type { Rebuilt } from './rollup-port.js';
import { emptyRows } from './row-sets.js';
import { referenceRow, settledHour, type Write } from './settled.js';
import { readFacts } from './taken.js';

const REPORTS_AT_ONCE = 200;
const TIMES_AT_ONCE = 1000;

interface Job {
  readonly now: Date;
  readonly onDay: (day: number) => void;
}
/** Where in the order of their coming a day's reports lie. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * Computes rollups again from the reports as they came: a day at a time, for each of which one transaction takes its rows away
 * and writes those that its reports give. Nothing else may write meanwhile. Where it is interrupted, days are old or new, and
 * both are whole; the next run does all again.
 */
export async function rebuild(database: Database, write: Write, { now, onDay }: Job): Promise<Rebuilt> {
  const first = (await firstWholeDay(database)) ?? Number.NEGATIVE_INFINITY;
  const spans = await survey(database, first);
  if (spans.size === 0) return { days: null, reports: 0, rows: 0 };
  const [from, to] = [Math.min(...spans.keys()), Math.max(...spans.keys())];
  const settled = (await settledHour(database)) ?? Number.NEGATIVE_INFINITY;
  const oldestKept = hourOf(now.getTime()).hour - KEPT_HOURS + 1;
  const made = { reports: 0, rows: 0 };
  // A day without reports has no rows, whatever is there.
  for (let day = from; day <= to; day++) {
    const { reports, rows } = await rowsOf(database, day, spans.get(day));
    const statements = [
      ...[rows.modelHour, rows.modelDay, rows.deviceDay].flatMap((of) => [...of.statements()]),
      ...referenceOf(rows.modelHour, oldestKept, settled),
    ];
    await write([...removed(day, settled), ...statements]);
    made.reports += reports;
    made.rows += statements.length;
    onDay(day);
  }
  return { days: { first: from, last: to }, ...made };
}

const reportColumns = z.object({
  position: z.int(),
  device: z.string(),
  start: z.iso.datetime(),
  received: z.iso.datetime(),
  body: z.string(),
  taken: z.string(),
});
const timeColumns = reportColumns.pick({ position: true, start: true, received: true });
const migrationColumns = z.object({ name: z.string(), at: z.iso.datetime() });
const MIGRATIONS: Statement = { sql: 'select name, at from migration', parameters: [] };
/** A restore notes here of when its rows are: positions and dates of migrations are made anew, and say nothing of before. */
const RESTORED = 'restored';
export function restoredFrom(at: string): Statement {
  return put('meta', { key: RESTORED }, { value: at });
}
/** Since when every report is kept: a purge notes here when the newest that it took had come. */
const PURGED = 'purged';
export function purgedUntil(at: string): Statement {
  return put('meta', { key: PURGED }, { value: at });
}
const instantColumns = z.object({ value: z.iso.datetime() });

async function read<T>(database: Database, schema: z.ZodType<T>, statement: Statement): Promise<T[]> {
  const what = `a row of ${database.name}`;
  return (await database.rows(statement)).map((row) => check(schema, row, what, 'state_corrupt'));
}

/** The first day of which every report is kept; null where every report ever is. */
async function firstWholeDay(database: Database): Promise<number | null> {
  const since: number[] = [];
  const [kept] = await read(database, timeColumns, oldest('report'));
  const purged = await read(database, instantColumns, find('meta', [{ key: PURGED }]));
  // An older hub took the first positions and noted nothing: position one is there only where nothing was taken.
  if (purged.length === 0 && kept !== undefined && kept.position > 1) since.push(Date.parse(kept.received));
  const migrations = await read(database, migrationColumns, MIGRATIONS);
  const at = (name: string) => migrations.find((one) => one.name === name)?.at ?? '';
  // An older hub took reports without rollups, or kept none.
  if (at('rows') !== at('rollups')) since.push(Date.parse(at('rollups')));
  const files = await read(
    database,
    instantColumns,
    find('meta', [{ key: 'taken over' }, { key: RESTORED }]),
  );
  since.push(...[...purged, ...files].map(({ value }) => Date.parse(value)));
  return since.length === 0 ? null : Math.ceil((Math.max(...since) + CLOCK_TOLERANCE_MS) / DAY_MS);
}

/** The days from one on that have reports. */
async function survey(database: Database, from: number): Promise<Map<number, Span>> {
  const spans = new Map<number, Span>();
  for (let last = 0; ; ) {
    const page = await read(database, timeColumns, reportTimes(last, TIMES_AT_ONCE));
    for (const { position, start, received } of page) {
      const { day } = timesOf(Date.parse(start), Date.parse(received));
      if (day >= from) spans.set(day, { first: spans.get(day)?.first ?? position, last: position });
    }
    if (page.length < TIMES_AT_ONCE) return spans;
    last = page.at(-1)?.position ?? last;
  }
}

/** All rows of a day, from the reports that count for it. */
async function rowsOf(database: Database, day: number, span: Span | undefined) {
  const rows = emptyRows();
  let reports = 0;
  // Every instant of a day is text from its date on, however its fractions of seconds are written.
  const [from, before] = [dateOf(day), dateOf(day + 1)];
  for (let after = (span?.first ?? 0) - 1; span !== undefined; ) {
    const statement = reportsOf(from, before, { after, to: span.last }, REPORTS_AT_ONCE);
    const page = await read(database, reportColumns, statement);
    for (const row of page) {
      if (timesOf(Date.parse(row.start), Date.parse(row.received)).day !== day) continue;
      fold(rows, outlineOf(takenOf(row, database.name)));
      reports += 1;
    }
    if (page.length < REPORTS_AT_ONCE) break;
    after = page.at(-1)?.position ?? after;
  }
  return { rows, reports };
}

function takenOf(
  { position, device, received, body, taken }: z.infer<typeof reportColumns>,
  of: string,
): Taken {
  const what = `report ${position} of ${of}`;
  return {
    device,
    received: Date.parse(received),
    report: parseJson(windowReport, body, MESSAGE_LIMIT, what, 'state_corrupt'),
    ...readFacts(taken, what),
  };
}

/** The reference's hours of a day that are closed, and young enough to be kept. */
function referenceOf({ changed }: ReturnType<typeof emptyRows>['modelHour'], from: number, to: number) {
  const means = new Map<
    string,
    { readonly hour: number; readonly digest: string; readonly mean: HourMean }
  >();
  for (const { place, row } of changed) {
    const [hour, digest, channel] = [Number(place.key[0]), String(place.key[1]), String(place.key[2])];
    if (hour < from || hour > to) continue;
    const id = `${hour} ${digest}`;
    const known = means.get(id) ?? { hour, digest, mean: new HourMean() };
    means.set(id, known);
    known.mean.add(channel, row);
  }
  return [...means.values()].flatMap(({ hour, digest, mean }) => referenceRow(hour, digest, mean));
}

function removed(day: number, settled: number): Statement[] {
  const [from, to] = [day * HOURS_OF_DAY, (day + 1) * HOURS_OF_DAY];
  return [
    removeRange('model_hour', 'hour', from, to),
    removeRange('model_day', 'day', day, day + 1),
    removeRange('device_day', 'day', day, day + 1),
    removeRange('reference_hour', 'hour', from, Math.max(from, Math.min(to, settled + 1))),
  ];
}
