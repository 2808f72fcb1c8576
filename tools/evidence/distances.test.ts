import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { chiSquare, jensenShannon, kolmogorovSmirnov, psi, wasserstein } from './distances.js';

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
