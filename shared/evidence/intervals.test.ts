import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { seeded } from '../random.js';
import { fleetShare, studentQuantile } from './intervals.js';

const close = (given: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${given}, expected ${expected}`);

describe('the share of a fleet', () => {
  test('Student quantiles of the tables', () => {
    close(studentQuantile(0.975, 1), 12.7062, 1e-4);
    close(studentQuantile(0.975, 19), 2.09302, 1e-5);
    close(studentQuantile(0.95, 4), 2.13185, 1e-5);
  });
  test('covers 95 % at 20 devices and a correlation of .1, where the pooled interval covers 54 % (docs/gate-figures.md, "Intervals")', () => {
    const random = seeded('coverage');
    const [truth, correlation, devices, episodes, runs] = [0.85, 0.1, 20, 60, 2000];
    const strength = 1 / correlation - 1;
    let [covered, pooled] = [0, 0];
    for (let run = 0; run < runs; run++) {
      const counts = Array.from({ length: devices }, () => {
        // Pólya's urn draws what a beta-binomial does.
        let right = 0;
        for (let k = 0; k < episodes; k++)
          if (random.uniform() < (truth * strength + right) / (strength + k)) right += 1;
        return { right, episodes };
      });
      const { low, high, micro } = fleetShare(counts);
      if (low <= truth && truth <= high) covered += 1;
      const half = 1.96 * Math.sqrt((micro * (1 - micro)) / (devices * episodes));
      if (Math.abs(micro - truth) <= half) pooled += 1;
    }
    assert.ok(covered / runs >= 0.92, `covered ${covered / runs}`);
    assert.ok(pooled / runs < 0.75, `the pooled interval covered ${pooled / runs}`);
  });
  test('at nothing and everything right is still an interval', () => {
    const all = fleetShare([
      { right: 10, episodes: 10 },
      { right: 7, episodes: 7 },
      { right: 9, episodes: 9 },
    ]);
    assert.equal(all.high, 1);
    close(all.low, 1 - (1 - 0.05 ** (1 / 3)), 1e-12);
  });
  test('lying counts and a single device are refused', () => {
    for (const counts of [
      [{ right: 3, episodes: 2 }],
      [{ right: 1, episodes: 2 }],
      [
        { right: -1, episodes: 2 },
        { right: 1, episodes: 2 },
      ],
    ])
      assert.throws(() => fleetShare(counts), AdbreakError);
  });
});
