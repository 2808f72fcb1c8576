import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../random.js';
import { logBeta, logGamma, logIncompleteBeta } from './beta.js';
import { type DeviceOutcomes, FleetLikelihood } from './fleet.js';
import { logHarmPooled } from './harm.js';
import { logNonInferiority } from './non-inferiority.js';

const close = (given: number, expected: number, tolerance: number, what = '') =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${what} ${given}, expected ${expected}`);
const choose = (n: number, k: number) => Math.exp(logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1));

describe('beta function', () => {
  test('gamma of whole and half numbers', () => {
    close(logGamma(1), 0, 1e-13);
    close(logGamma(5), Math.log(24), 1e-12);
    close(logGamma(0.5), 0.5 * Math.log(Math.PI), 1e-12);
    close(logBeta(3, 4), Math.log(1 / 60), 1e-12);
  });
  test('the incomplete beta function is a binomial tail for whole numbers (DLMF 8.17.5)', () => {
    for (const [x, a, b] of [
      [0.5, 3, 5],
      [0.2, 4, 9],
      [0.9, 12, 3],
      [0.5, 40, 11],
      [0.01, 2, 30],
    ] as const) {
      const n = a + b - 1;
      let tail = 0;
      for (let k = a; k <= n; k++) tail += choose(n, k) * x ** k * (1 - x) ** (n - k);
      close(Math.exp(logIncompleteBeta(x, a, b)), tail, 1e-12 + 1e-10 * tail);
    }
  });
});

describe('E_pooled', () => {
  test('golden value of docs/statistics.md', () => close(logHarmPooled(37, 21), 1.643425, 1e-6));

  test('is the integral it stands for', () => {
    // E = ∫_{1/2}^1 2^(l+w) θ^l (1-θ)^w · 2 θ^(a-1) (1-θ)^(a-1) / B(a,a) dθ, by Simpson's rule.
    for (const [l, w] of [
      [0, 0],
      [5, 1],
      [12, 3],
      [3, 12],
      [60, 40],
    ] as const) {
      const f = (theta: number) =>
        Math.exp(
          (l + w + 1) * Math.LN2 +
            (l + 9) * Math.log(theta) +
            (w + 9) * Math.log(1 - theta) -
            logBeta(10, 10),
        );
      const steps = 20_000;
      const h = 0.5 / steps;
      let sum = 0;
      for (let i = 1; i < steps; i++) sum += (i % 2 === 0 ? 2 : 4) * f(0.5 + i * h);
      const integral = ((f(0.5) + sum) * h) / 3;
      close(Math.exp(logHarmPooled(l, w)), integral, 1e-8 * integral, `l=${l} w=${w}`);
    }
  });

  test('has expectation one under the null, at every sample size', () => {
    for (const n of [1, 7, 40]) {
      let expectation = 0;
      for (let l = 0; l <= n; l++) expectation += choose(n, l) * 2 ** -n * Math.exp(logHarmPooled(l, n - l));
      close(expectation, 1, 1e-10);
    }
  });

  test('refuses counts that are none', () => {
    assert.throws(() => logHarmPooled(-1, 0), RangeError);
    assert.throws(() => logHarmPooled(0.5, 0), RangeError);
    assert.throws(() => logHarmPooled(Number.NaN, 0), RangeError);
  });
});

describe('M', () => {
  test('has expectation one where the candidate is worse by the margin exactly', () => {
    const margin = 0.1;
    // d = +1, -1, 0 with probabilities .1, .2, .7: mean -.1. Sum over all outcomes of n episodes.
    const n = 12;
    let expectation = 0;
    for (let wins = 0; wins <= n; wins++) {
      for (let losses = 0; wins + losses <= n; losses++) {
        const agreed = n - wins - losses;
        const ways = Math.exp(
          logGamma(n + 1) - logGamma(wins + 1) - logGamma(losses + 1) - logGamma(agreed + 1),
        );
        expectation +=
          ways *
          0.1 ** wins *
          0.2 ** losses *
          0.7 ** agreed *
          Math.exp(logNonInferiority({ wins, losses, agreed }, margin));
      }
    }
    close(expectation, 1, 1e-9);
  });

  test('is the mean over bets of a product, written out', () => {
    const d = [1, -1, 0, 0, 1, 0];
    const margin = 0.05;
    let sum = 0;
    for (let i = 0; i < 64; i++) {
      const bet = (i + 0.5) / 64 / (1 - margin);
      sum += d.reduce((product, difference) => product * (1 + bet * (difference + margin)), 1);
    }
    close(logNonInferiority({ wins: 2, losses: 1, agreed: 3 }, margin), Math.log(sum / 64), 1e-12);
  });

  test('no evidence is no evidence', () => {
    assert.equal(logNonInferiority({ wins: 0, losses: 0, agreed: 0 }, 0.02), 0);
    assert.throws(() => logNonInferiority({ wins: 0, losses: 0, agreed: 0 }, 0), RangeError);
  });
});

describe('E_fleet', () => {
  const logHarmFleet = (devices: readonly DeviceOutcomes[]) => new FleetLikelihood(devices).logHarm();
  const fleet = (count: number, wins: number, losses: number, episodes: number) =>
    Array.from({ length: count }, () => ({ wins, losses, episodes }));

  test('says nothing without episodes', () => assert.equal(logHarmFleet([]), 0));
  test('a fleet that loses everywhere is harmed, one that wins is not', () => {
    assert.ok(logHarmFleet(fleet(20, 2, 20, 100)) > Math.log(20));
    assert.ok(logHarmFleet(fleet(20, 20, 2, 100)) < 0);
  });
  test('one bad device among twenty does not speak for the fleet', () => {
    const devices = [...fleet(19, 5, 5, 100), { wins: 0, losses: 60, episodes: 100 }];
    assert.ok(logHarmPooled(19 * 5 + 60, 19 * 5) > Math.log(20), 'the pooled evidence is fooled');
    assert.ok(logHarmFleet(devices) < Math.log(20));
  });
  test('false alarms at correlation .1 stay under five in a hundred', () => {
    const runs = 200;
    const random = seeded('fleet');
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const tilts = Array.from({ length: 20 }, () => 0.5 + 0.25 * random.normal() * 0.6);
      const sums = tilts.map(() => ({ wins: 0, losses: 0, episodes: 0 }));
      for (let look = 0, alarmed = false; look < 40 && !alarmed; look++) {
        for (const [i, sum] of sums.entries()) {
          for (let episode = 0; episode < 4; episode++) {
            sum.episodes += 1;
            if (random.uniform() >= 0.1) continue;
            if (random.uniform() < (tilts[i] ?? 0.5)) sum.wins += 1;
            else sum.losses += 1;
          }
        }
        alarmed = logHarmFleet(sums) >= Math.log(20);
        if (alarmed) alarms += 1;
      }
    }
    assert.ok(alarms / runs <= 0.05, `${alarms} of ${runs} runs alarmed (seed fleet)`);
  });
  test('a better candidate passes', () =>
    assert.ok(new FleetLikelihood(fleet(20, 8, 3, 200)).logNonInferiority(0.02) > Math.log(20)));
});
