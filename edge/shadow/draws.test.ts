import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAW_RATES } from '@adbreak/shared/contract/messages.js';
import { binomial, poisson } from '@adbreak/shared/draws.js';
import { seeded } from '@adbreak/shared/random.js';
import { afterWindow, firstDraws, nextRate } from './draws.js';

const HOUR = 3600;
const BUDGET = 20;
const WEEK = 168;

interface Programme {
  /** Disagreements that end in an hour, on average; null while the set is off. */
  readonly name: string;
  readonly hourly: (hour: number) => number | null;
  /** What a week draws in the end, in budgets; rates are powers of one half, so that half of the budget may stay unused. */
  readonly atLeast: number;
}
const evening = (hour: number) => hour % 24 >= 18 && hour % 24 < 23;
const PROGRAMMES: Programme[] = [
  { name: 'as assumed, day and night', hourly: () => 700 / WEEK, atLeast: 0.4 },
  { name: 'five hours an evening', hourly: (hour) => (evening(hour) ? 10 : null), atLeast: 0.35 },
  { name: 'many more than assumed', hourly: () => 1750 / WEEK, atLeast: 0.4 },
  { name: 'few: each one is asked about', hourly: () => 12 / WEEK, atLeast: 0.5 },
  {
    name: 'off for three weeks, then on',
    hourly: (hour) => (hour > WEEK && hour < 4 * WEEK ? null : 700 / WEEK),
    atLeast: 0.4,
  },
  {
    name: 'eight times as many from one hour on',
    hourly: (hour) => (hour < 3 * WEEK ? 2 : 16),
    atLeast: 0.4,
  },
];

for (const { name, hourly, atLeast } of PROGRAMMES)
  test(`questions of a week stay near the budget and never above twice of it: ${name}`, () => {
    const seeds = 40;
    let last = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const random = seeded(`${name} ${seed}`);
      let state = firstDraws(BUDGET, HOUR);
      const draws: number[] = [];
      for (let hour = 0; hour < 10 * WEEK; hour++) {
        const mean = hourly(hour);
        const disagreements = mean === null ? 0 : poisson(random, mean);
        const drawn = binomial(random, disagreements, state.rate);
        draws.push(drawn);
        const next = afterWindow(
          state,
          { episodes: mean === null ? 0 : 200, disagreements, drawn },
          BUDGET,
          HOUR,
        );
        assert.ok(
          DRAW_RATES.includes(next.rate) && next.rate <= 2 * state.rate,
          `seed ${seed}: ${state.rate} to ${next.rate}`,
        );
        state = next;
      }
      const within = (from: number) => draws.slice(from, from + WEEK).reduce((a, b) => a + b, 0);
      const worst = Math.max(...Array.from({ length: 9 * WEEK }, (_, from) => within(from)));
      assert.ok(worst <= 2 * BUDGET, `seed ${seed}: ${worst} in a week`);
      last += (within(7 * WEEK) + within(8 * WEEK) + within(9 * WEEK)) / (3 * seeds);
    }
    assert.ok(last >= atLeast * BUDGET && last <= BUDGET, `${last} a week in the end`);
  });

test('without a budget everything is drawn; with one the first rate rests on 700 disagreements a week', () => {
  assert.equal(firstDraws(null, HOUR).rate, 1);
  assert.equal(firstDraws(20, HOUR).rate, 1 / 64, '700 / 64 = 10.9 of 20; 1/32 would be 21.9');
  assert.equal(firstDraws(700, HOUR).rate, 1);
  assert.equal(
    nextRate({ ...firstDraws(20, HOUR), disagreements: 1e6 }, 20, HOUR),
    1 / 256,
    'never 0: what is never drawn is never known',
  );
});

test('a budget that ends or begins counts from the next window on, and the rate rises by steps of 2', () => {
  const quiet = { episodes: 200, disagreements: 0, drawn: 0 };
  let state = firstDraws(20, HOUR);
  const rates = Array.from({ length: 4 }, () => {
    state = afterWindow({ ...state, disagreements: 1 }, quiet, 20, HOUR);
    return state.rate;
  });
  assert.deepEqual(rates, [1 / 32, 1 / 16, 1 / 8, 1 / 4]);
  assert.equal(afterWindow(state, quiet, null, HOUR).rate, 1);
  assert.equal(afterWindow({ ...state, rate: 1, disagreements: 1400 }, quiet, 20, HOUR).rate, 1 / 128);
});

test('a set that is off for a night counts as a quiet night; off for a month it says nothing about what the models do', () => {
  let state = firstDraws(20, HOUR);
  for (let hour = 0; hour < 30; hour++)
    state = afterWindow(state, { episodes: 200, disagreements: 4, drawn: 0 }, 20, HOUR);
  const evening = state.disagreements;
  for (let hour = 0; hour < 24; hour++)
    state = afterWindow(state, { episodes: 0, disagreements: 0, drawn: 0 }, 20, HOUR);
  const morning = state.disagreements;
  assert.ok(morning < evening && morning > evening / 2);
  for (let hour = 0; hour < 30 * 24; hour++)
    state = afterWindow(state, { episodes: 0, disagreements: 0, drawn: 0 }, 20, HOUR);
  assert.equal(state.disagreements, morning);
  assert.equal(
    afterWindow(state, null, 20, HOUR).disagreements,
    morning,
    'nor does a month without a candidate',
  );
});
