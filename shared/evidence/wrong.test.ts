import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { binomial } from '../draws.js';
import { seeded } from '../random.js';
import { fleetShare } from './intervals.js';
import { wrongAnswers } from './wrong.js';

const close = (given: number, expected: number, tolerance = 1e-9) =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${given}, expected ${expected}`);
const people = (count: number, answered: number, wrong: number) =>
  Array.from({ length: count }, () => ({ answered, wrong }));

describe('wrong answers on control items', () => {
  test('the plan is believed without control items, with few of them, and while they do not reject it', () => {
    assert.deepEqual(wrongAnswers([], 0.02), { share: 0, low: 0, high: 1, used: 0.02 });
    assert.equal(wrongAnswers(people(1, 1, 1), 0.02).used, 0.02, 'one mishap is none');
    assert.equal(wrongAnswers(people(20, 10, 0), 0.02).used, 0.02);
    assert.equal(wrongAnswers([...people(9, 20, 0), ...people(1, 20, 4)], 0.02).used, 0.02, 'four of 200');
  });

  test('rejected, the upper end is used, at most .45', () => {
    const some = wrongAnswers([...people(5, 20, 3), ...people(5, 20, 5)], 0.02);
    assert.ok(some.low > 0.02 && some.used === some.high && some.high > 0.2, JSON.stringify(some));
    assert.equal(wrongAnswers(people(8, 20, 12), 0.02).used, 0.45);
  });

  test('labellers who differ widen it, and a few who happen to be alike do not narrow it under the items themselves', () => {
    const mixed = [...people(9, 20, 0), ...people(1, 20, 12)];
    const among = fleetShare(mixed.map(({ answered, wrong }) => ({ episodes: answered, right: wrong })));
    const given = wrongAnswers(mixed, 0);
    close(given.low, among.low);
    close(given.high, among.high);
    // Clopper and Pearson for 3 of 30: at the ends the tails hold .025 each.
    const same = wrongAnswers(people(3, 10, 1), 0);
    const atMost = (k: number, p: number) =>
      [1, 30, 435, 4060]
        .slice(0, k + 1)
        .reduce((sum, ways, i) => sum + ways * p ** i * (1 - p) ** (30 - i), 0);
    close(atMost(3, same.high), 0.025);
    close(1 - atMost(2, same.low), 0.025);
    assert.deepEqual(wrongAnswers(people(1, 30, 3), 0), same);
  });

  test('covers the share of labellers who differ', () => {
    const random = seeded('controls');
    let covered = 0;
    for (let run = 0; run < 400; run++) {
      const controls = Array.from({ length: 12 }, () => ({
        answered: 25,
        wrong: binomial(random, 25, random.pick([0.02, 0.05, 0.17])),
      }));
      const { low, high } = wrongAnswers(controls, 0.02);
      if (low <= 0.08 && 0.08 <= high) covered += 1;
    }
    assert.ok(covered / 400 >= 0.92, `covered ${covered / 400} (seed controls)`);
  });

  test('refuses what does not add up', () => {
    assert.throws(() => wrongAnswers([{ answered: 2, wrong: 3 }], 0.02), RangeError);
    assert.throws(() => wrongAnswers([{ answered: 2.5, wrong: 1 }], 0.02), RangeError);
    for (const assumed of [-0.1, 0.5, Number.NaN]) assert.throws(() => wrongAnswers([], assumed), RangeError);
  });
});
