import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { pause } from '@adbreak/shared/retry.js';
import { until } from '@adbreak/shared/testing/until.js';
import { guarded, type Watch } from './guard.js';
import { epochRecord, HEADER, outcome } from './testing/run.js';
import type { DatedTracker } from './tracker.js';

type Seam = Partial<DatedTracker>;

/** A guarded tracker with these parts, what it was told, and what was logged. */
function guardOf(seam: (watch: Watch) => Seam, options: { queue?: number; drainMs?: number } = {}) {
  const told: string[] = [];
  const said: string[] = [];
  const make = async (watch: Watch): Promise<DatedTracker> => ({
    begin: async () => void told.push('begin'),
    epoch: async ({ epoch }) => void told.push(`epoch ${epoch}`),
    end: async () => void told.push('end'),
    ...seam(watch),
  });
  const log = (line: string) => said.push(line);
  return { tracker: guarded(make, { name: 'Somewhere', log, ...options }), told, said };
}
const forbidden = () => new AdbreakError('tracker_refused', 'Cannot do it', { remedy: 'Ask for leave.' });

test('what happens is told in order, and is all told when the end is over', async () => {
  const { tracker, told, said } = guardOf(() => ({}));
  await tracker.begin(HEADER);
  for (const epoch of [1, 2, 3]) await tracker.epoch(epochRecord(epoch));
  await tracker.end(outcome());
  assert.deepEqual(told, ['begin', 'epoch 1', 'epoch 2', 'epoch 3', 'end']);
  assert.deepEqual(said, []);
});

test('a tracker hears when an epoch was, not when its turn came', async () => {
  const times: number[] = [];
  const { tracker } = guardOf(() => ({
    begin: () => pause(200),
    epoch: async (_, at = new Date(0)) => void times.push(at.getTime()),
  }));
  const before = Date.now();
  await tracker.begin(HEADER);
  await tracker.epoch(epochRecord(1));
  const after = Date.now();
  await tracker.end(outcome());
  const [at = 0] = times;
  assert.ok(at >= before && at <= after, `${at} from ${before} to ${after}`);
});

test('a failure at any point is said once, with what to do, and the rest is not told', async () => {
  for (const [part, rest] of [
    ['make', []],
    ['begin', []],
    ['epoch', ['begin']],
    ['end', ['begin', 'epoch 1', 'epoch 2']],
  ] as const) {
    const fail = async () => {
      throw forbidden();
    };
    const { tracker, told, said } = guardOf(() => {
      if (part === 'make') throw forbidden();
      return { [part]: fail };
    });
    await tracker.begin(HEADER);
    for (const epoch of [1, 2]) await tracker.epoch(epochRecord(epoch));
    await tracker.end(outcome());
    assert.deepEqual(told, rest, part);
    assert.equal(said.length, 1, part);
    assert.match(
      said[0] ?? '',
      /^Somewhere: Cannot do it\. The training goes on.* What to do: Ask for leave\.$/,
    );
  }
});

test('trouble that a tracker goes on from is said once, however often it comes', async () => {
  const { tracker, told, said } = guardOf((watch) => ({
    epoch: async () => watch.troubled(forbidden()),
  }));
  await tracker.begin(HEADER);
  for (const epoch of [1, 2, 3]) await tracker.epoch(epochRecord(epoch));
  await tracker.end(outcome());
  assert.deepEqual(told, ['begin', 'end']);
  assert.deepEqual(said, ['Somewhere: Cannot do it. The training goes on. What to do: Ask for leave.']);
});

test('a tracker that hangs holds up no epoch, and the end no longer than its limit', async () => {
  let stopped = false;
  const { tracker, said } = guardOf(
    ({ signal }) => ({
      epoch: async () => {
        await pause(60_000, signal);
        stopped = true;
      },
    }),
    { drainMs: 200 },
  );
  const began = performance.now();
  await tracker.begin(HEADER);
  for (const epoch of [1, 2, 3]) await tracker.epoch(epochRecord(epoch));
  assert.ok(performance.now() - began < 100);
  await tracker.end(outcome());
  const seconds = (performance.now() - began) / 1000;
  assert.ok(seconds > 0.19 && seconds < 5, `${seconds} s`);
  assert.deepEqual(said, [
    'Somewhere did not take everything within 0.2 s: its end is missing there, and up to 3 epochs',
  ]);
  await until('it stops', () => stopped);
});

test('an interrupted training waits for nobody', async () => {
  const { tracker } = guardOf(({ signal }) => ({ begin: () => pause(60_000, signal) }));
  await tracker.begin(HEADER);
  const began = performance.now();
  await tracker.end({ ...outcome(), status: 'interrupted' });
  assert.ok(performance.now() - began < 2400, 'the program would have been ended before');
});

test('so many epochs may wait; those beyond are left out, and how many is said', async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { tracker, told, said } = guardOf(() => ({ begin: () => gate }), { queue: 4 });
  await tracker.begin(HEADER);
  for (let epoch = 1; epoch <= 10; epoch++) await tracker.epoch(epochRecord(epoch));
  open();
  await tracker.end(outcome());
  assert.deepEqual(told, ['epoch 1', 'epoch 2', 'epoch 3', 'end']);
  assert.deepEqual(said, ['Somewhere was too slow for 7 epochs: they are missing there']);
});
