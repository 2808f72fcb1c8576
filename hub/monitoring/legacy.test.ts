import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { WORLD_BINS } from '@adbreak/shared/evidence/world.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { noLabels } from '../rollouts/evidence.js';
import { after, BEGIN, DIGESTS, report } from '../rollouts/fixtures.js';
import { DATABASE_FILE, openStore } from '../store/open.js';
import { Sqlite } from '../store/sql/sqlite.js';
import { allRollups, take } from '../testing/rollups.js';
import { storedRows, tamper } from '../testing/store.js';
import { type ModelHours, rowsOfHours } from './legacy.js';

const HOUR = BEGIN / 3_600_000;
const { from: DIGEST } = DIGESTS;
const bins = (n: number) => Array.from({ length: WORLD_BINS }, (_, i) => (i === 6 ? n : 0));
const labels = { ...noLabels(), histogram: bins(500) };
/** An hour that was over, and one that still filled with two devices. */
const HOURS: Record<string, ModelHours> = {
  [DIGEST]: {
    hours: { [HOUR - 5]: bins(2.125) },
    open: { [HOUR]: { 'channel=one': { devices: ['pi-1', 'pi-2'], bins: bins(20) } } },
    labels,
  },
};
const sum = (all: readonly number[] | undefined) => all?.reduce((total, n) => total + n, 0);

/** What those hours are afterwards; and a device of that hour is the same one when it goes on. */
async function assertTakenOver(folder: string): Promise<void> {
  const store = await openStore(folder, () => after(0.5));
  const known = await store.rollups.means(DIGEST, HOUR - 6, HOUR + 1);
  assert.deepEqual(
    [...known].map(([hour, one]) => [hour - HOUR, sum(one)]),
    [
      [-5, 2.125],
      [0, 10],
    ],
  );
  assert.deepEqual(await store.rollups.labels(DIGEST), labels);
  for (const device of ['pi-1', 'pi-3']) await take(store, device, report(9, 0, { agreed: 10 }));
  const counts = async (
    rows: AsyncIterable<{ hardware: string; row: { devices: number; windows: number } }>,
  ) => {
    const found = [];
    for await (const { hardware, row } of rows) found.push([hardware, row.devices, row.windows]);
    return found;
  };
  assert.deepEqual(await counts(store.rollups.hour(HOUR, DIGEST)), [
    ['', 2, 0],
    ['pi5', 2, 2],
  ]);
  assert.deepEqual(await counts(store.rollups.day(HOUR / 24, DIGEST)), [
    ['', 2, 0],
    ['pi5', 2, 2],
  ]);
  const now = await store.rollups.means(DIGEST, HOUR, HOUR + 1);
  assert.equal(Math.round(1000 * (sum(now.get(HOUR)) ?? 0)), 13_333, 'forty episodes of three devices');
  const { days } = await store.rollups.rebuild(after(0.5));
  assert.equal(days, null, 'of its first day it has not all reports');
  await store.close();
  const before = await allRollups(folder);
  await (await openStore(folder, () => after(0.5))).close();
  assert.deepEqual(await allRollups(folder), before, 'taken over once');
}

test('hours in the document of a hub of 0.2 become rows, and none of them is lost', async () => {
  const folder = await temporaryFolder();
  const empty = { claims: [], tokens: [], devices: {}, models: {}, rollouts: [], evaluations: [] };
  await writeFile(join(folder, 'hub.json'), JSON.stringify({ schema: 3, ...empty, hours: HOURS }));
  await assertTakenOver(folder);
});

test('a database that kept hours with the names of their devices becomes one of rollups, and nothing of them is lost', async () => {
  const folder = await temporaryFolder();
  // As the first schema was: its tables, and its rows.
  await (await openStore(folder, () => after(-10))).close();
  const later = [
    'operator_entry',
    'operator_command',
    'device_command',
    'account',
    'session',
    'training_job',
  ];
  for (const table of ['model_hour', 'model_day', 'device_day', 'reference_hour', ...later])
    await tamper(folder, `drop table ${table}`);
  await tamper(folder, 'drop index report_received');
  await tamper(folder, 'alter table report drop column taken');
  await tamper(folder, "delete from migration where name <> 'rows'");
  await tamper(
    folder,
    'create table hour (position integer primary key autoincrement, digest text not null, hour text not null, body text not null, unique (digest, hour))',
  );
  const text = (value: unknown) => JSON.stringify(value);
  const { hours, open } = HOURS[DIGEST] ?? { hours: {}, open: {} };
  for (const [hour, one] of Object.entries(hours))
    await tamper(
      folder,
      `insert into hour (digest, hour, body) values ('${DIGEST}', '${hour}', '${text(one)}')`,
    );
  for (const [hour, channels] of Object.entries(open))
    for (const [channel, one] of Object.entries(channels))
      await tamper(
        folder,
        `insert into channel_hour (digest, hour, channel, body) values ('${DIGEST}', '${hour}', '${channel}', '${text(one)}')`,
      );
  await tamper(folder, `insert into labels (digest, body) values ('${DIGEST}', '${text(labels)}')`);
  await assertTakenOver(folder);
  assert.deepEqual(await storedRows(folder, { sql: 'select * from channel_hour', parameters: [] }), []);
});

test('rows of those hours are the same, whichever way they come', async () => {
  const folder = await temporaryFolder();
  await (await openStore(folder, () => after(0))).close();
  const database = await Sqlite.open(join(folder, DATABASE_FILE));
  await database.transact(rowsOfHours(HOURS));
  await database.close();
  const { model_hour, device_day } = await allRollups(folder);
  assert.deepEqual(
    [model_hour.size, [...device_day.keys()]],
    [1, [`${HOUR / 24} pi-1`, `${HOUR / 24} pi-2`]],
  );
});
