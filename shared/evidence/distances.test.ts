import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { seeded } from '../random.js';
import { chiSquare, jensenShannon, kolmogorovSmirnov, psi, wasserstein } from './distances.js';
import { fleetShare, studentQuantile } from './intervals.js';

const close = (given: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${given}, expected ${expected}`);

/** Golden values: docs/statistics.md, "Distances"; computed by hand with scipy 1.17 (`make verify-evidence` does thousands). */
describe('distances', () => {
  const p = [0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3];
  const q = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2];
  test('golden values', () => {
    close(wasserstein(p, q, 0.125), 0.08125, 1e-12);
    close(jensenShannon(p, q), 0.116313, 1e-6);
    close(jensenShannon(p, q, 2), 0.139707, 1e-6);
    close(psi(p, q), 0.109861, 1e-6);
  });
  test('are zero for equal histograms, whatever their sizes', () => {
    const [a, b] = [
      [5, 0, 20, 75],
      [10, 0, 40, 150],
    ];
    assert.ok(a !== undefined && b !== undefined);
    for (const distance of [
      psi(a, b),
      jensenShannon(a, b),
      wasserstein(a, b, 1),
      kolmogorovSmirnov(a, b).statistic,
      chiSquare(a, b).statistic,
    ])
      close(distance, 0, 1e-7);
    close(kolmogorovSmirnov(a, b).p, 1, 1e-12);
    close(chiSquare(a, b).p, 1, 1e-12);
  });
  test('tests reject true nulls as rarely as they promise: uniform p, 2,000 seeded pairs', () => {
    const random = seeded('null');
    let [ks, chi] = [0, 0];
    const runs = 2000;
    for (let i = 0; i < runs; i++) {
      const draw = () => {
        const counts = Array<number>(10).fill(0);
        for (let k = 0; k < 300; k++) {
          const bin = random.integer(10);
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
        return counts;
      };
      const [a, b] = [draw(), draw()];
      if (kolmogorovSmirnov(a, b).p < 0.05) ks += 1;
      if (chiSquare(a, b).p < 0.05) chi += 1;
    }
    assert.ok(ks / runs <= 0.05, `Kolmogorov-Smirnov on bins is conservative: ${ks / runs}`);
    close(chi / runs, 0.05, 0.015);
  });
  test('what is no histogram is refused', () => {
    for (const [a, b] of [
      [[1, 2], [1]],
      [
        [0, 0],
        [1, 1],
      ],
      [
        [1, Number.NaN],
        [1, 1],
      ],
      [
        [1, -1],
        [1, 1],
      ],
    ] as const)
      for (const distance of [psi, jensenShannon, kolmogorovSmirnov, chiSquare])
        assert.throws(() => distance(a, b), AdbreakError);
  });
});

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
