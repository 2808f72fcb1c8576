import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callBy, type HubAddress } from '@adbreak/hub/cli/client.js';
import { auditLines, storedRows } from '@adbreak/hub/testing/store.js';
import { monitoring } from '@adbreak/shared/contract/http/monitoring.js';
import { MESSAGE_LIMIT, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { until } from '@adbreak/shared/testing/until.js';
import { z } from 'zod';
import { waitingIn } from './watch.js';

const MODEL = 'base-ad-detector';
const rows = z.array(z.object({ sequence: z.int(), body: z.string() }));
const entry = z.object({ what: z.string(), subject: z.string() });

/**
 * Reports that an agent has numbered by now, and how many of them are acknowledged, at the latest in half a
 * minute.
 */
export async function spooledReports(spool: string): Promise<{ reports: number; acknowledged: number }> {
  const reports = await lastNumber(spool);
  const left = async () =>
    (await waitingIn(spool)).filter((name) => Number.parseInt(name, 10) <= reports).length;
  await until('all are acknowledged', async () => (await left()) === 0).catch(() => undefined);
  return { reports, acknowledged: reports - (await left()) };
}
/** The file holds the last number and the name of its stream. */
async function lastNumber(spool: string): Promise<number> {
  return Number((await readFile(join(spool, 'sequence'), 'utf8')).split(' ', 1)[0]);
}

interface Stored {
  /** Of the numbers from 1 to the last, those that the database has not, and those that it has once more. */
  readonly lost: number;
  readonly twice: number;
  /** What all its reports add up to. */
  readonly inferences: number;
}
/** The reports that the hub's database holds of a device. */
export async function storedReports(folder: string, device: string, last: number): Promise<Stored> {
  const sql = 'select sequence, body from report where device = ?';
  const found = rows.parse(await storedRows(folder, { sql, parameters: [device] }));
  const numbers = found.map(({ sequence }) => sequence);
  const once = new Set(numbers);
  const lost = Array.from({ length: last }, (_, i) => i + 1).filter((number) => !once.has(number));
  const inferences = found.map(({ body, sequence }) => inferencesOf(body, `report ${sequence}`));
  return {
    lost: lost.length,
    twice: numbers.length - once.size,
    inferences: inferences.reduce((sum, n) => sum + n, 0),
  };
}
function inferencesOf(body: string, what: string): number {
  const { latency } = parseJson(windowReport, Buffer.from(body), MESSAGE_LIMIT, what);
  return latency.production.reduce((sum, [, n]) => sum + n, 0);
}

/** What the hub has counted of all reports, whatever it has kept. */
export async function countedInferences(hub: HubAddress, version: string): Promise<number> {
  const asked = { params: { name: MODEL }, query: { version } };
  return (await callBy(hub, monitoring.performance, asked)).metrics.total_inferences;
}

/** Certificates that a device was given after its first one, and those of them that it has come with. */
export async function renewalsOf(folder: string, device: string): Promise<{ given: number; used: number }> {
  const entries = (await auditLines(folder)).map((line) => entry.parse(JSON.parse(line)));
  const count = (what: string) => entries.filter((one) => one.subject === device && one.what === what).length;
  return { given: count('device.renew'), used: count('device.renewed') };
}
