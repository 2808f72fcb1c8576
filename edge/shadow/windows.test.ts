import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { endOf, MOST_RUNS, openWindow, turn, type Windows } from './windows.js';

const HOUR = 3_600_000;
const at = (time: string) => Date.parse(`2026-03-01T${time}:00.000Z`);
/** The clock looked at once after the other: every window that was closed, and the one that is open. */
function watch(times: readonly number[], from?: Windows): { closed: number[]; open: Windows } {
  let open = from ?? openWindow(HOUR, times[0] ?? 0);
  const closed: number[] = [];
  for (const now of times) {
    const next = turn(open, now);
    if (next !== open) closed.push(open.start);
    open = next;
  }
  return { closed, open };
}

test('windows begin at multiples of their length, also when the first look is in the middle; hours that nobody watched are no windows', () => {
  const { closed, open } = watch([at('10:40'), at('10:59'), at('11:00'), at('11:30'), at('15:20')]);
  assert.deepEqual(closed, [at('10:00'), at('11:00')]);
  assert.deepEqual([open.start, endOf(open)], [at('15:00'), at('16:00')]);
  assert.equal(
    openWindow(90_000, at('10:01')).start,
    at('10:00'),
    'a length that does not divide the day keeps its own grid since 1970',
  );
});

test('a small step back changes nothing: the window waits for its time', () => {
  const { closed, open } = watch([at('10:40'), at('11:02'), at('10:58'), at('11:01'), at('10:20')]);
  assert.deepEqual(closed, [at('10:00')]);
  assert.equal(open.start, at('11:00'));
});

test('a clock that was years ahead is followed back, and the hour that it left half is not opened again', () => {
  const ahead = 8760 * HOUR * 4;
  const { closed, open } = watch([at('10:10'), at('10:20') + ahead, at('11:20') + ahead, at('10:30')]);
  assert.deepEqual(closed, [at('10:00'), at('10:00') + ahead, at('11:00') + ahead]);
  assert.equal(
    open.start,
    at('11:00'),
    'the hour of 10 was reported when the clock left it: the next one is open early',
  );
  assert.deepEqual(watch([at('10:50'), at('11:10'), at('12:00')], open).closed, [at('11:00')]);
});

test('a device that starts at the same wrong time after every power cut never repeats a window', () => {
  const factory = Date.parse('2025-01-01T00:00:10.000Z');
  let [open, closed] = [openWindow(HOUR, factory), [] as number[]];
  for (let boot = 0; boot < 3 * MOST_RUNS; boot++) {
    const seen = watch([factory, at('10:00') + boot * 24 * HOUR, at('11:00') + boot * 24 * HOUR], open);
    [open, closed] = [seen.open, [...closed, ...seen.closed]];
  }
  assert.equal(new Set(closed).size, closed.length);
});

test('whatever the clock does, no start comes twice, and once it is right the windows are those of the hour again', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(`clock ${seed}`);
    let [time, error] = [at('00:00'), 0];
    const looks = Array.from({ length: 400 }, () => {
      time += random.between(0, 0.7) * HOUR;
      if (random.uniform() < 0.05)
        error = random.pick([0, 0, -1, 1, 30, -30, 3000]) * random.between(0, 1.5) * HOUR;
      return time + error;
    });
    const wild = watch(looks);
    assert.equal(new Set([...wild.closed, wild.open.start]).size, wild.closed.length + 1, `seed ${seed}`);
    // Right again: at most the hours that were reported ahead of time (30 * 1.5) go by until the windows are the clock's.
    const after = watch(
      Array.from({ length: 4 * 48 }, (_, i) => time + (i * HOUR) / 4),
      wild.open,
    );
    const last = time + ((4 * 48 - 1) * HOUR) / 4;
    assert.equal(after.open.start, Math.floor(last / HOUR) * HOUR, `seed ${seed}`);
  }
});
