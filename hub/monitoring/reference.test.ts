import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { calibrate } from '@adbreak/shared/evidence/world.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { after, BEGIN, DIGESTS, report } from '../rollouts/fixtures.js';
import { openStore } from '../store/open.js';
import { take, takeReport } from '../testing/rollups.js';
import { referenceHours, referenceWeeks } from './reference.js';

const WEEK = 168;
const FIRST = BEGIN / 3_600_000;

/** A store, and hours of devices in it. */
async function hours() {
  const clock = { hour: 0 };
  const folder = await temporaryFolder();
  const store = await openStore(folder, () => after(clock.hour));
  const settle = async () => {
    while (await store.rollups.settle(after(clock.hour)));
  };
  return {
    store,
    clock,
    settle,
    /** One device's hours as they come; a year of them is a few commits. */
    async watch(
      first: number,
      end: number,
      agreed: (hour: number) => number,
      change?: Partial<WindowReport>,
    ) {
      for (let hour = first; hour < end; hour += 24) {
        clock.hour = Math.min(end, hour + 24);
        const last = clock.hour;
        await store.change((_, writing) => {
          for (let at = hour; at < last; at++) {
            clock.hour = at + 1;
            takeReport(writing, 'pi-1', report(at + 1, at, { agreed: agreed(at) }, change));
          }
        });
        await settle();
      }
    },
    async weeks(digest: string = DIGESTS.from) {
      const now = after(clock.hour).getTime();
      return referenceWeeks(await store.rollups.means(digest, ...referenceHours(now)), now);
    },
  };
}
const sum = (bins: readonly number[] | null | undefined) => bins?.reduce((all, n) => all + n, 0) ?? null;

test('reference weeks are whole weeks before the rollout, by hour of the week; gaps make a week none', async () => {
  const { store, clock, watch, weeks } = await hours();
  await watch(0, 3 * WEEK, (hour) => 30 + (hour % WEEK));
  const three = await weeks();
  assert.equal(three?.length, 3);
  assert.deepEqual(three?.[0], three?.[1], 'the same hour of each week');
  assert.ok(calibrate(three ?? []) !== null);
  assert.ok((await weeks(DIGESTS.to)) !== null, 'a candidate gathers its own from the shadow');
  clock.hour += 100;
  assert.equal((await weeks())?.length, 2, 'the last hundred hours were not watched');
  assert.equal(await weeks('d'.repeat(64)), null);
  await store.close();
});

test('each channel weighs what one of its devices saw, however many watch it and on whatever hardware; what comes too late is no part of it', async () => {
  const { store, clock, settle } = await hours();
  const at = (
    hour: number,
    device: string,
    sequence: number,
    agreed: number,
    channel: string,
    hardware = 'pi5',
  ) => {
    clock.hour = hour;
    const slice = { channel, site: 'home', hardware };
    return take(store, device, report(sequence, Math.floor(sequence / 10), { agreed }, { slice }));
  };
  for (let i = 0; i < 9; i++) await at(0.9, `pi-${i}`, 1, 10, 'one', i % 2 === 0 ? 'pi5' : 'pi4');
  await at(0.95, 'pi-9', 1, 30, 'two');
  // The same device, twice in an hour and on other hardware, is one device of its channel.
  await at(0.96, 'pi-9', 2, 0, 'two', 'pi4');
  const hour = async () => (await store.rollups.means(DIGESTS.from, FIRST, FIRST + 1)).get(FIRST);
  assert.equal(
    sum(await hour()),
    40,
    'as far as it is filled: ten of the first channel, thirty of the second',
  );
  clock.hour = 4.5;
  await settle();
  const closed = await hour();
  assert.equal(sum(closed), 40);
  await at(4.6, 'pi-8', 5, 1000, 'one');
  assert.deepEqual(await hour(), closed);
  const rows = [];
  for await (const { row } of store.rollups.hour(FIRST, DIGESTS.from)) rows.push(sum(row.bins));
  assert.equal(
    rows.reduce((all, n) => (all ?? 0) + (n ?? 0), 0),
    1120,
    'the rollups have it all the same',
  );
  await store.close();
});

test('a clock that jumps a year ahead and back takes no hours of the reference with it, and those after it close again', async () => {
  const { store, clock, settle, watch, weeks } = await hours();
  await watch(0, WEEK, () => 30);
  clock.hour = 53 * WEEK;
  for (let looks = 0; looks < 3; looks++) {
    await settle();
    await store.rollups.purge(after(clock.hour), { hourMonths: 13, dayMonths: null });
    clock.hour += 5;
  }
  await watch(53 * WEEK, 53 * WEEK + 20, () => 30);
  await store.rollups.purge(after(clock.hour), { hourMonths: 13, dayMonths: null });
  clock.hour = WEEK;
  assert.equal((await weeks())?.length, 1);
  await watch(WEEK, WEEK + 6, () => 7);
  await settle();
  const known = await store.rollups.means(DIGESTS.from, FIRST + WEEK, FIRST + WEEK + 1);
  assert.equal(sum(known.get(FIRST + WEEK)), 7);
  await store.close();
});

test('a clock that was some hours ahead for a while closes no hour before it has passed', async () => {
  const { store, clock, settle, watch } = await hours();
  await watch(0, WEEK, () => 30);
  clock.hour = WEEK + 20;
  await settle();
  for (let hour = WEEK; hour < WEEK + 24; hour++) {
    clock.hour = hour;
    await settle();
    clock.hour = hour + 1;
    await take(store, 'pi-1', report(hour + 1, hour, { agreed: 7 }));
  }
  clock.hour = WEEK + 30;
  await settle();
  const known = await store.rollups.means(DIGESTS.from, FIRST + WEEK, FIRST + WEEK + 24);
  assert.equal(known.size, 24);
  await store.close();
});

test('hours of the reference are kept for seven weeks', async () => {
  const { store, clock, watch } = await hours();
  await watch(0, 9 * WEEK, () => 3);
  while (await store.rollups.purge(after(clock.hour), { hourMonths: 13, dayMonths: null }));
  const known = await store.rollups.means(DIGESTS.from, FIRST, FIRST + 9 * WEEK);
  assert.equal(Math.min(...known.keys()), FIRST + 2 * WEEK + 1);
  assert.equal(known.size, 7 * WEEK - 1, 'with those that still fill');
  await store.close();
});
