import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { after, BEGIN, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import type { SqlStore } from '../store/sql-store.js';
import { allRollups, take } from '../testing/rollups.js';
import { storedRows, tamper } from '../testing/store.js';
import type { TakenFacts } from './fold.js';

const DEVICES = 25;
const DAY = BEGIN / 86_400_000;
const MODELS = ['a', 'b', 'c'].map((letter) => letter.repeat(64));

/** A device's next window: mostly of the last hour; now and then late by hours or weeks, much too late, of the same time again, after a gap, of unknown models. */
function anyWindow(random: Random, device: number, sequence: number, hour: number) {
  const lateness = [0, 0, 0, 0, 1, 5, 30, 24 * 20, 24 * 60][random.integer(9)] ?? 0;
  const restless = random.integer(20) === 0;
  const change: Partial<WindowReport> = {
    slice: {
      channel: restless ? `zap ${random.integer(1000)}` : `${device % 4}`,
      site: 'home',
      hardware: `pi${random.integer(30) === 0 ? 4 : 5}`,
    },
    production: MODELS[device % 2] ?? '',
    candidate: MODELS[2] ?? '',
    serving: random.integer(2) === 0 ? 'production' : 'candidate',
    latency: { production: [[random.integer(64), 1 + random.integer(100)]], candidate: [[3, 7]] },
    adFrames: random.integer(20),
    frames: 20 + random.integer(1000),
    dropped: random.integer(3),
    restarts: random.integer(2),
    memoryMb: random.integer(500),
    downloadFailures: random.integer(2),
  };
  const facts: Partial<TakenFacts> = {
    missing: random.integer(8) === 0 ? random.integer(50) : 0,
    twice: random.integer(15) === 0,
    unknown: random.integer(15) === 0 ? ['candidate'] : [],
  };
  const counts = { wins: random.integer(3), losses: random.integer(3), agreed: random.integer(30) };
  return {
    one: report(sequence, Math.max(0, hour - lateness) - 24 * 20 * random.integer(2), counts, change),
    facts,
  };
}

/** Days of a fleet on a real database: many commits, restarts in between, hours closed as they are over. */
async function fleet(seed: string, days = 3) {
  const random = seeded(seed);
  const folder = await temporaryFolder();
  const clock = { hour: 0 };
  const open = () => openStore(folder, () => after(clock.hour + 0.5));
  let store = await open();
  const sequences = Array<number>(DEVICES).fill(0);
  for (clock.hour = 1; clock.hour <= 24 * days; clock.hour++) {
    await Promise.all(
      Array.from({ length: random.integer(2 * DEVICES) }, () => {
        const device = random.integer(DEVICES);
        const sequence = (sequences[device] ?? 0) + 1;
        sequences[device] = sequence;
        const { one, facts } = anyWindow(random, device, sequence, clock.hour - 1);
        return take(store, `pi-${device}`, one, facts);
      }),
    );
    if (clock.hour % 5 === 0) while (await store.rollups.settle(after(clock.hour + 0.5)));
    if (random.integer(24) === 0) {
      await store.close();
      store = await open();
    }
  }
  return { folder, store, now: after(clock.hour + 0.5), reports: sequences.reduce((sum, n) => sum + n, 0) };
}

async function damage(folder: string): Promise<void> {
  await tamper(folder, `update model_hour set body = replace(body, '1', '2') where position % 3 = 0`);
  await tamper(folder, 'delete from model_day where position % 2 = 0');
  await tamper(folder, `update device_day set body = 'no JSON at all' where position % 5 = 0`);
  await tamper(folder, `delete from reference_hour where position % 4 = 0`);
  await tamper(
    folder,
    `insert into model_day (day, digest, channel, hardware, body) values (${DAY + 1}, 'x', 'y', 'z', '{}')`,
  );
}

for (const seed of ['one', 'two', 'three'])
  test(`rebuilt from the raw reports of a fleet the rollups are the same rows, bit for bit, whatever became of them (seed ${seed})`, async (t) => {
    const { folder, store, now, reports } = await fleet(seed);
    await store.close();
    const before = await allRollups(folder);
    t.diagnostic(
      `${reports} reports, rows: ${Object.entries(before)
        .map(([table, rows]) => `${table} ${rows.size}`)
        .join(', ')}`,
    );
    assert.ok(before.reference_hour.size > 50 && before.model_day.size > 50);
    await damage(folder);
    const again = await openStore(folder, () => now);
    const made = await again.rollups.rebuild(now);
    await again.close();
    assert.deepEqual(await allRollups(folder), before);
    assert.equal(made.reports, reports, 'each report in one day');
  });

test('where raw reports were purged, the days that are whole come out the same and those before stay as they are', async () => {
  const { folder, store, now } = await fleet('purged');
  const cut = after(24 + 7);
  while (await store.purgeReports(cut));
  const before = await allRollups(folder);
  const firstWhole = DAY + 2;
  const sums = async (day: number) =>
    (await storedRows(folder, { sql: `select body from device_day where day = ${day}`, parameters: [] }))
      .length;
  const halfDay = await sums(firstWhole - 1);
  await tamper(folder, `delete from device_day where day >= ${firstWhole}`);
  const { days } = await store.rollups.rebuild(now);
  assert.equal(days?.first, firstWhole);
  assert.deepEqual(await allRollups(folder), before);
  assert.ok(halfDay > 0);
  await goesOn(store, folder);
});

/** What comes after a rebuild adds to what is there. */
async function goesOn(store: SqlStore, folder: string): Promise<void> {
  await take(store, 'pi-0', report(99_999, 72, { agreed: 5 }));
  const row = (await store.rollups.deviceDays('pi-0', DAY + 3, DAY + 4))[0]?.[1];
  assert.ok((row?.windows ?? 0) >= 1);
  assert.ok((await allRollups(folder)).device_day.size > 0);
  await store.close();
}

test('reports from under a clock that ran ahead keep neither the purge from what came after them nor a rebuild from its days', async () => {
  const folder = await temporaryFolder();
  const clock = { hour: 24 * 60 };
  const store = await openStore(folder, () => after(clock.hour));
  const many = Array.from({ length: 550 }, (_, i) => i + 1);
  await Promise.all(many.map((n) => take(store, 'pi-ahead', report(n, 24 * 60 - 1, { agreed: 1 }))));
  for (clock.hour = 1; clock.hour <= 24 * 4; clock.hour++)
    await take(store, 'pi-1', report(clock.hour, clock.hour - 1, { agreed: 5 }));
  const before = await allRollups(folder);
  while (await store.purgeReports(after(30)));
  const [left] = await storedRows(folder, {
    sql: "select count(*) as n from report where device = 'pi-1'",
    parameters: [],
  });
  assert.deepEqual({ ...(left as object) }, { n: 24 * 4 - 29 }, 'all that came before hour 30 is gone');
  await tamper(folder, `delete from device_day where day >= ${DAY + 2} and device = 'pi-1'`);
  const { days } = await store.rollups.rebuild(after(clock.hour));
  assert.equal(days?.first, DAY + 2, 'the first day of which all is kept');
  assert.deepEqual(await allRollups(folder), before);
  await store.close();
});

test('with no raw report there is nothing to rebuild, and nothing is taken away', async () => {
  const { folder, store, now } = await fleet('none', 1);
  const before = await allRollups(folder);
  while (await store.purgeReports(new Date('2100-01-01T00:00:00.000Z')));
  assert.deepEqual(await store.rollups.rebuild(now), { days: null, reports: 0, rows: 0 });
  assert.deepEqual(await allRollups(folder), before);
  await store.close();
});

test('a raw report that cannot be read stops the rebuild by its number, and its day stays as it was', async () => {
  const { folder, store, now } = await fleet('broken', 1);
  const before = await allRollups(folder);
  await tamper(folder, "update report set body = '{' where position = 1");
  await assert.rejects(store.rollups.rebuild(now), { code: 'state_corrupt', message: /report 1 of/ });
  assert.deepEqual(await allRollups(folder), before);
  await store.close();
});
