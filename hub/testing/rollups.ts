import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import type { TakenFacts } from '../monitoring/fold.js';
import type { SqlStore } from '../store/sql-store.js';
import type { Writing } from '../store/store.js';
import { storedRows } from './store.js';

/** As the hub takes a report in that is as usual. */
export function takeReport(
  writing: Pick<Writing, 'report'>,
  device: string,
  report: WindowReport,
  facts: Partial<TakenFacts> = {},
): void {
  const { sequence, start } = report;
  const raw = { device, sequence, start, body: JSON.stringify(report) };
  writing.report(raw, report, { missing: 0, twice: false, unknown: [], ...facts });
}
export function take(
  store: SqlStore,
  device: string,
  report: WindowReport,
  facts: Partial<TakenFacts> = {},
): Promise<void> {
  return store.change((_, writing) => takeReport(writing, device, report, facts));
}

const TABLES = {
  model_hour: 'hour, digest, channel, hardware',
  model_day: 'day, digest, channel, hardware',
  device_day: 'day, device',
  reference_hour: 'hour, digest',
} as const;
export type RollupTable = keyof typeof TABLES;

/** A table's rows as they lie on the disk, by their keys. */
export async function rollupRows(folder: string, table: RollupTable): Promise<Map<string, string>> {
  const sql = `select ${TABLES[table]}, body from ${table} order by ${TABLES[table]}`;
  const rows = await storedRows(folder, { sql, parameters: [] });
  return new Map(
    rows.map((row) => {
      const { body, ...keys } = z.record(z.string(), z.union([z.string(), z.number()])).parse(row);
      return [Object.values(keys).join(' '), String(body)];
    }),
  );
}
export async function allRollups(folder: string): Promise<Record<RollupTable, Map<string, string>>> {
  const [model_hour, model_day, device_day, reference_hour] = [
    await rollupRows(folder, 'model_hour'),
    await rollupRows(folder, 'model_day'),
    await rollupRows(folder, 'device_day'),
    await rollupRows(folder, 'reference_hour'),
  ];
  return { model_hour, model_day, device_day, reference_hour };
}
