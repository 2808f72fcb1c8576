import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { after, BEGIN, DIGESTS, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import type { Database } from '../store/sql/database.js';
import { allRollups, rollupRows, take, takeReport } from '../testing/rollups.js';
import { KEPT_HOURS } from './fold.js';
import { MOST_SERIES } from './rows.js';

const HOUR = BEGIN / 3_600_000;
const DAY = HOUR / 24;
const { from: PRODUCTION, to: CANDIDATE } = DIGESTS;

async function opened(wrap?: (database: Database) => Database) {
  const clock = { hour: 1 };
  const folder = await temporaryFolder();
  const store = await openStore(folder, () => after(clock.hour), { ...(wrap && { wrap }) });
  return { folder, clock, store };
}
type Opened = Awaited<ReturnType<typeof opened>>;
async function rowsOf({ store }: Opened, what: 'hour' | 'day', at: number, digest: string = PRODUCTION) {
  const rows = [];
  for await (const one of store.rollups[what](at, digest)) rows.push(one);
  return rows;
}
async function hourRows({ store }: Opened) {
  const rows = [];
  for await (const one of store.rollups.hour(HOUR, PRODUCTION)) rows.push(one);
  return rows;
}
const deviceDay = async ({ store }: Opened, device: string, day = DAY) =>
  (await store.rollups.deviceDays(device, day, day + 1))[0]?.[1];
const slice = (channel: string, hardware = 'pi5') => ({ slice: { channel, site: 'home', hardware } });
const total = (bins: readonly number[]) => bins.reduce((sum, n) => sum + n, 0);

test('a report adds to the hour and the day of each of its models, channel and hardware, and to the day of its device', async () => {
  const one = await opened();
  const labelled: WindowReport['labelled'] = {
    episodes: 2,
    productionRight: 1,
    candidateRight: 1,
    wins: 1,
    losses: 1,
    detail: {
      production: {
        confusion: [
          [1, 0],
          [1, 0],
        ],
        tenths: [[0, 2, 1]],
      },
      candidate: null,
    },
  };
  const change = {
    adFrames: 5,
    frames: 40,
    dropped: 2,
    restarts: 1,
    memoryMb: 200,
    downloadFailures: 3,
    labelled,
  };
  await take(one.store, 'pi-1', report(1, 0, { agreed: 10 }, { ...change, serving: 'candidate' }));
  await take(one.store, 'pi-1', report(2, 0, { agreed: 4 }, { memoryMb: 100 }), { missing: 3 });
  for (const [what, at] of [
    ['hour', HOUR],
    ['day', DAY],
  ] as const) {
    const [acting, ...none] = await rowsOf(one, what, at, CANDIDATE);
    assert.ok(acting !== undefined && none.length === 0);
    assert.deepEqual([acting.channel, acting.hardware], ['channel=one', 'pi5']);
    const { devices, windows, acted, missing, frames, adFrames, dropped, restarts, bins, latency } =
      acting.row;
    assert.deepEqual(
      {
        devices,
        windows,
        acted,
        missing,
        frames,
        adFrames,
        dropped,
        restarts,
        episodes: total(bins),
        latency: latency[12],
      },
      {
        devices: 1,
        windows: 2,
        acted: 1,
        missing: 0,
        frames: 40,
        adFrames: 5,
        dropped: 2,
        restarts: 1,
        episodes: 14,
        latency: 80,
      },
    );
    const [shown] = await rowsOf(one, what, at);
    assert.deepEqual(
      [shown?.row.acted, shown?.row.missing, shown?.row.labels?.confusion, shown?.row.labels?.tenths[0]],
      [
        1,
        3,
        [
          [1, 0],
          [1, 0],
        ],
        [2, 1],
      ],
    );
    assert.equal(acting.row.labels, null, 'nobody labelled what the candidate said');
  }
  const { series, ...device } = (await deviceDay(one, 'pi-1')) ?? { series: [] };
  assert.deepEqual(device, {
    windows: 2,
    missing: 3,
    episodes: 14,
    frames: 80,
    adFrames: 5,
    dropped: 2,
    restarts: 1,
    downloadFailures: 3,
    memoryMb: 200,
    refused: { old: 0, twice: 0, unknown: 0, series: 0 },
  });
  assert.deepEqual(
    series.map(({ digest, hours }) => [digest, hours]),
    [
      [PRODUCTION, 1],
      [CANDIDATE, 1],
    ],
  );
  await one.store.close();
});

test('devices of a channel are counted each once, and no row grows with them', async () => {
  const one = await opened();
  const rows: number[] = [];
  for (const devices of [20, 400]) {
    await one.store.change((_, writing) => {
      for (let n = 0; n < devices; n++)
        for (const sequence of [1, 2]) takeReport(writing, `pi-${n}`, report(sequence, 0, { agreed: 10 }));
    });
    const [hour] = await hourRows(one);
    const [day] = await rowsOf(one, 'day', DAY);
    assert.deepEqual([hour?.row.devices, hour?.row.first, day?.row.devices], [devices, devices, devices]);
    rows.push(
      Math.max(...[...(await rollupRows(one.folder, 'model_hour')).values()].map((body) => body.length)),
    );
  }
  const [few = 0, many = 0] = rows;
  assert.ok(many < few + 30, `${few} characters with 20 devices, ${many} with 400`);
  await one.store.close();
});

test('a commit writes each row that its reports touch once, and nothing else of the rollups', async () => {
  const written: string[] = [];
  const one = await opened((database) => ({
    name: database.name,
    rows: (statement) => database.rows(statement),
    snapshot: (work) => database.snapshot(work),
    close: () => database.close(),
    transact: (statements) => {
      const all = Symbol.asyncIterator in statements ? [] : [...statements];
      for (const { sql } of all)
        written.push(/insert into "(\w+)"/.exec(typeof sql === 'string' ? sql : sql.sqlite)?.[1] ?? 'other');
      return database.transact(Symbol.asyncIterator in statements ? statements : all);
    },
  }));
  await take(one.store, 'pi-0', report(1, 0, { agreed: 10 }, slice('elsewhere')));
  written.length = 0;
  await one.store.change((_, writing) => {
    for (let n = 0; n < 100; n++) takeReport(writing, `pi-${n % 10}`, report(n + 2, 0, { agreed: 10 }));
  });
  const count = (table: string) => written.filter((one) => one === table).length;
  assert.deepEqual(
    ['report', 'model_hour', 'model_day', 'device_day', 'labels', 'other'].map(count),
    [100, 2, 2, 10, 2, 0],
  );
  await one.store.close();
});

test('a commit that fails leaves the rollups as they were, in memory and on the disk', async () => {
  let broken = false;
  const one = await opened((database) => ({
    name: database.name,
    rows: (statement) => database.rows(statement),
    snapshot: (work) => database.snapshot(work),
    close: () => database.close(),
    transact: (statements) => (broken ? Promise.reject(new Error('no')) : database.transact(statements)),
  }));
  await take(one.store, 'pi-1', report(1, 0, { agreed: 10 }));
  const before = await allRollups(one.folder);
  broken = true;
  await assert.rejects(take(one.store, 'pi-1', report(2, 0, { agreed: 99 })), /no/);
  broken = false;
  assert.deepEqual(await allRollups(one.folder), before);
  await take(one.store, 'pi-1', report(2, 0, { agreed: 5 }));
  const [hour] = await rowsOf(one, 'hour', HOUR);
  assert.deepEqual([hour?.row.windows, total(hour?.row.bins ?? [])], [2, 15]);
  await one.store.close();
});

test('late windows go into the hour and day they are of, also closed ones; older than seven weeks they are refused and counted', async () => {
  const one = await opened();
  await take(one.store, 'pi-1', report(1, 0, { agreed: 10 }));
  one.clock.hour = KEPT_HOURS - 0.5;
  await take(one.store, 'pi-1', report(2, 0, { agreed: 7 }));
  await take(one.store, 'pi-2', report(1, 0, { agreed: 1 }));
  const [hour] = await hourRows(one);
  assert.deepEqual(
    [hour?.row.devices, hour?.row.first, total(hour?.row.bins ?? []), total(hour?.row.late ?? [])],
    [2, 1, 18, 8],
  );
  const [day] = await rowsOf(one, 'day', DAY);
  assert.deepEqual([day?.row.devices, total(day?.row.bins ?? [])], [2, 18]);
  one.clock.hour = KEPT_HOURS;
  const before = await allRollups(one.folder);
  await take(one.store, 'pi-1', report(3, 0, { agreed: 1000 }), { missing: 4 });
  const now = await allRollups(one.folder);
  assert.deepEqual([now.model_hour, now.model_day], [before.model_hour, before.model_day]);
  const today = await deviceDay(one, 'pi-1', DAY + KEPT_HOURS / 24);
  assert.deepEqual(
    [today?.windows, today?.missing, today?.refused.old],
    [1, 4, 1],
    'on the day on which it came',
  );
  await one.store.close();
});

test('a day knows the windows that a device sent and owed; what tells of the same time again, or of unknown models, adds to no sum', async () => {
  const one = await opened();
  await take(one.store, 'pi-1', report(1, 0, { agreed: 10 }));
  await take(one.store, 'pi-1', report(5, 0, { agreed: 10 }), { missing: 3 });
  await take(one.store, 'pi-1', report(6, 0, { agreed: 10 }), { twice: true });
  await take(one.store, 'pi-1', report(7, 0, { agreed: 10 }), { unknown: ['candidate'] });
  const device = await deviceDay(one, 'pi-1');
  assert.deepEqual(
    [device?.windows, device?.missing, device?.episodes, device?.refused],
    [4, 3, 30, { old: 0, twice: 1, unknown: 1, series: 0 }],
  );
  const sums = async (digest: string) => total((await rowsOf(one, 'hour', HOUR, digest))[0]?.row.bins ?? []);
  assert.deepEqual([await sums(PRODUCTION), await sums(CANDIDATE)], [30, 20]);
  await one.store.close();
});

test('a device that names 10,000 channels and hardwares in a day opens a dozen rows an hour, is counted, and honest ones go on', async () => {
  const one = await opened();
  one.clock.hour = 24;
  for (let n = 0; n < 10_000; n += 500)
    await one.store.change((_, writing) => {
      for (let i = n; i < n + 500; i++)
        takeReport(writing, 'hostile', report(i + 1, i % 24, { agreed: 1 }, slice(`c${i}`, `h${i}`)));
    });
  await take(one.store, 'pi-1', report(1, 0, { agreed: 10 }));
  const device = await deviceDay(one, 'hostile');
  assert.deepEqual(
    [device?.series.length, device?.windows, device?.refused.series],
    [MOST_SERIES, 10_000, 2 * 10_000 - MOST_SERIES],
  );
  const { model_hour, model_day, device_day } = await allRollups(one.folder);
  assert.ok(model_hour.size <= 24 * MOST_SERIES + 2, `${model_hour.size} rows of hours`);
  assert.deepEqual([model_day.size, device_day.size], [MOST_SERIES + 2, 2]);
  assert.equal(
    (await rowsOf(one, 'day', DAY)).find(({ channel }) => channel === 'channel=one')?.row.devices,
    1,
  );
  assert.ok(one.store.rollups.inMemory < 500, `${one.store.rollups.inMemory} rows in memory`);
  await one.store.close();
});

test('names that a database would not store as they are lead back to their own rows', async () => {
  const one = await opened();
  for (const sequence of [1, 2])
    await take(one.store, 'pi-1', report(sequence, 0, { agreed: 5 }, slice(`"x" \\ \ud800`, '\udfff%')));
  await one.store.close();
  const again = await openStore(one.folder, () => after(1));
  await take(again, 'pi-1', report(3, 0, { agreed: 5 }, slice(`"x" \\ \ud800`, '\udfff%')));
  const rows = await rowsOf({ ...one, store: again }, 'hour', HOUR);
  assert.deepEqual(
    rows.map(({ hardware, row }) => [hardware, row.devices, row.windows]),
    [['\udfff%', 1, 3]],
  );
  await again.close();
});
