import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { after, BEGIN, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import { allRollups, rollupRows, takeReport } from '../testing/rollups.js';
import { storedRows } from '../testing/store.js';
import { HOUR_MS, monthsBefore } from './calendar.js';
import { purgeReports } from './upkeep.js';

const hourOf = (instant: string) => Date.parse(instant) / HOUR_MS;

test('months are those of the calendar, UTC; a day that a month has not is its last', () => {
  for (const [from, months, to] of [
    ['2027-03-15T07:00:00Z', 13, '2026-02-15T07:00:00Z'],
    ['2027-03-31T23:00:00Z', 1, '2027-02-28T23:00:00Z'],
    ['2028-03-31T00:00:00Z', 1, '2028-02-29T00:00:00Z'],
    ['2027-01-01T00:00:00Z', 2, '2026-11-01T00:00:00Z'],
  ] as const)
    assert.equal(monthsBefore(hourOf(from), months), hourOf(to), `${from} less ${months}`);
});

test('over two years hours are kept for thirteen months to the hour, days for ever, and memory does not grow', async () => {
  const folder = await temporaryFolder();
  const clock = { hour: 0 };
  const store = await openStore(folder, () => after(clock.hour));
  const retention = { hourMonths: 13, dayMonths: null };
  const YEARS = 26 * 28 * 24;
  let most = 0;
  for (let first = 0; first < YEARS; first += 24 * 28) {
    await store.change((_, writing) => {
      // Two devices, every third hour; the second one a day late.
      for (let hour = first; hour < first + 24 * 28; hour += 3) {
        clock.hour = hour + 1;
        takeReport(writing, 'pi-1', report(hour + 1, hour, { agreed: 5 }));
        if (hour >= 24) takeReport(writing, 'pi-2', report(hour + 1, hour - 24, { agreed: 5 }));
      }
    });
    if (first > YEARS - 9 * 7 * 24) while (await store.rollups.settle(after(clock.hour)));
    while (await store.rollups.purge(after(clock.hour), retention));
    if (first % (24 * 28 * 8) === 0) most = Math.max(most, (await rollupRows(folder, 'model_hour')).size);
  }
  const cut = monthsBefore(BEGIN / HOUR_MS + clock.hour, 13);
  const { model_hour, model_day, device_day, reference_hour } = await allRollups(folder);
  const hours = [...model_hour.keys()].map((key) => Number(key.split(' ')[0]));
  assert.ok(Math.min(...hours) >= cut && Math.min(...hours) < cut + 3, 'to the hour, late rows as well');
  const days = YEARS / 24;
  assert.deepEqual([new Set([...model_day.keys()].map((key) => key.split(' ')[0])).size], [days]);
  assert.ok(device_day.size >= 2 * days - 2, 'of each device');
  assert.ok(reference_hour.size < 2 * 7 * 7 * 8 + 20, 'seven weeks of two models');
  assert.ok(most < 2 * (8 * 31 * 15), `at most ${most} rows of hours at any time`);
  assert.ok(store.rollups.inMemory < 13_000, `${store.rollups.inMemory} rows in memory`);
  while (await store.rollups.purge(after(clock.hour), { hourMonths: 13, dayMonths: 14 }));
  const kept = [...(await allRollups(folder)).device_day.keys()].map((key) => Number(key.split(' ')[0]));
  assert.equal(
    Math.min(...kept),
    Math.floor(monthsBefore(BEGIN / HOUR_MS + clock.hour, 14) / 24),
    'where the settings say so',
  );
  await store.close();
});

test('a purge takes some rows at a time, and tells whether there are more', async () => {
  const folder = await temporaryFolder();
  const store = await openStore(folder, () => after(1000));
  await store.change((_, writing) => {
    for (let n = 0; n < 700; n++)
      takeReport(
        writing,
        `pi-${n}`,
        report(
          1,
          n % 2,
          { agreed: 1 },
          {
            slice: { channel: `${n}`, site: 's', hardware: 'h' },
            candidate: null,
            histograms: { production: { bins: [[3, 1]], sum: 0.014 }, candidate: null },
            joint: null,
          },
        ),
      );
    takeReport(writing, 'pi-1', report(2, 999, { agreed: 1 }));
  });
  // A year later something is young again: ages are counted from there.
  const later = new Date(BEGIN + 380 * 24 * HOUR_MS);
  await store.change((_, writing) => takeReport(writing, 'pi-1', report(3, 379 * 24, { agreed: 1 })));
  const sizes: number[] = [];
  for (let more = true; more; sizes.push((await allRollups(folder)).model_hour.size))
    more = await store.rollups.purge(later, { hourMonths: 2, dayMonths: null });
  assert.equal(sizes[0], 700 + 2 + 2 - 500);
  assert.equal(sizes.at(-1), 2);
  await store.close();
});

test('a clock that is a year ahead takes no raw report with it; one that is right forgets those of before thirty days', async (t) => {
  const folder = await temporaryFolder();
  const clock = { hour: 0 };
  const store = await openStore(folder, () => after(clock.hour));
  t.after(() => store.close());
  for (let day = 0; day < 50; day++) {
    clock.hour = day * 24 + 1;
    await store.change((_, writing) => takeReport(writing, 'pi-1', report(day + 1, day * 24, { agreed: 5 })));
  }
  const kept = async () =>
    (await storedRows(folder, { sql: 'select device from report', parameters: [] })).length;
  await purgeReports(store, 30, after(clock.hour + 365 * 24));
  assert.ok((await kept()) >= 30, 'ages are those of what was reported');
  await purgeReports(store, 60, after(clock.hour + 365 * 24));
  const before = await kept();
  await purgeReports(store, 30, after(clock.hour));
  assert.ok((await kept()) <= before);
  assert.ok((await kept()) >= 30 && (await kept()) <= 32, `${await kept()} are kept`);
});
