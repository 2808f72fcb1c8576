import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../random.js';
import { logGamma } from './beta.js';
import { logNonInferiority } from './non-inferiority.js';
import { logNonInferioritySampled } from './sampled.js';
import { clusterOf, logHarm, logNoWorse, mostHarm, type Tallies, type Tally } from './tally.js';

const close = (given: number, expected: number, tolerance: number, what = '') =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${what} ${given}, expected ${expected}`);
const tally = (rate: number, zeros: number, wins: number, losses: number, open = 0): Tally => ({
  rate,
  zeros,
  wins,
  losses,
  open,
});

/** How episodes come and what people make of them. */
interface Law {
  readonly rate: number;
  readonly win: number;
  readonly loss: number;
  /** Shares of the drawn that stay open, and of the answers that are wrong, by what is true. */
  readonly open: { readonly win: number; readonly loss: number };
  readonly wrong: { readonly win: number; readonly loss: number };
}
type Outcomes = readonly [zeros: number, wins: number, losses: number, open: number];
function chances({ rate, win, loss, open, wrong }: Law): Outcomes {
  const [won, lost] = [rate * win * (1 - open.win), rate * loss * (1 - open.loss)];
  const silent = rate * (win * open.win + loss * open.loss);
  const [wins, losses] = [
    won * (1 - wrong.win) + lost * wrong.loss,
    lost * (1 - wrong.loss) + won * wrong.win,
  ];
  return [1 - wins - losses - silent, wins, losses, silent];
}
/** Every outcome of n episodes with its probability. */
function* outcomes(law: Law, n: number): Generator<readonly [probability: number, Tally]> {
  const p = chances(law);
  for (let wins = 0; wins <= n; wins++)
    for (let losses = 0; wins + losses <= n; losses++)
      for (let open = 0; wins + losses + open <= n; open++) {
        const counts = [n - wins - losses - open, wins, losses, open] as const;
        const ways = counts.reduce((sum, count) => sum - logGamma(count + 1), logGamma(n + 1));
        const probability = counts.reduce(
          (product, count, i) => product * (p[i] ?? 0) ** count,
          Math.exp(ways),
        );
        yield [probability, { rate: law.rate, zeros: counts[0], wins, losses, open }];
      }
}
/** The expectation of exp(ln E) over episodes at two rates, summed over all outcomes. */
function expectation(laws: readonly [Law, Law], n: number, log: (tallies: Tallies) => number): number {
  let sum = 0;
  for (const [p, first] of outcomes(laws[0], n))
    for (const [q, second] of outcomes(laws[1], n)) sum += p * q * Math.exp(log([first, second]));
  return sum;
}
const NONE = { win: 0, loss: 0 };
const at = (win: number, loss: number, open: Law['open'], wrong: Law['wrong']): readonly [Law, Law] => [
  { rate: 1, win, loss, open, wrong },
  { rate: 0.25, win, loss, open, wrong },
];

describe('evidence from draws', () => {
  test('is the evidence of before where everything is drawn, answered and right', () => {
    for (const margin of [0.01, 0.02, 0.2])
      close(
        logNoWorse([tally(1, 400, 31, 17)], { margin, wrong: 0 }),
        logNonInferiority({ wins: 31, losses: 17, agreed: 400 }, margin),
        1e-12,
      );
    close(
      logNoWorse([tally(0.3, 400, 31, 17)], { margin: 0.02, wrong: 0 }),
      logNonInferioritySampled({ wins: 31, losses: 17, zeros: 400 }, 0.02, 0.3),
      1e-12,
    );
    assert.deepEqual(
      [
        logNoWorse([], { margin: 0.02, wrong: 0 }),
        logHarm([tally(1, 0, 0, 0)], { tolerance: 0.01, wrong: 0.02 }),
      ],
      [0, 0],
    );
  });

  test('harm is the mean over bets of a product, written out, with two rates', () => {
    for (const tolerance of [-0.05, 0, 0.01, 0.3]) {
      const given = logHarm([tally(1, 50, 3, 11, 2), tally(0.25, 200, 4, 9, 1)], { tolerance, wrong: 0.1 });
      let sum = 0;
      const w = 1.1 / 0.9;
      for (let i = 0; i < 64; i++) {
        let product = 1;
        for (const [step, zeros, wins, losses, open] of [
          [1, 50, 3, 11, 2],
          [4, 200, 4, 9, 1],
        ] as const) {
          const bet = (i + 0.5) / 64 / (w * step + tolerance);
          product *= (1 + bet * (step - tolerance)) ** losses * (1 - bet * (w * step + tolerance)) ** wins;
          product *= (1 - bet * (step + tolerance)) ** open * (1 - bet * tolerance) ** zeros;
        }
        sum += product;
      }
      close(given, Math.log(sum / 64), 1e-10, `tolerance ${tolerance}`);
    }
  });

  test('is the same whichever questions were asked before, more of them than factors are remembered', () => {
    const asked = Array.from({ length: 50 }, (_, i) => ({ tolerance: i / 100, wrong: 0.02 * (i % 3) }));
    const tallies = [tally(1, 40, 2, 9, 1), tally(1 / 64, 70, 1, 3)];
    const once = asked.map((one) => logHarm(tallies, one));
    assert.deepEqual(
      [...asked]
        .reverse()
        .map((one) => logHarm(tallies, one))
        .reverse(),
      once,
    );
    assert.equal(new Set(once).size, asked.length);
  });

  test('harm is never more than its bound, and the bound is 0 within the tolerance', () => {
    const random = seeded('bound');
    const upTo = (n: number) => Math.floor(n * random.uniform());
    let near = 0;
    for (let i = 0; i < 3000; i++) {
      const tallies = [1, 0.25].map((rate) => tally(rate, upTo(80), upTo(8), upTo(12), upTo(3)));
      const question = { tolerance: 0.05 * random.uniform(), wrong: 0.1 * random.uniform() };
      const [log, most] = [logHarm(tallies, question), mostHarm(tallies, question)];
      assert.ok(log <= most + 1e-12, `ln H ${log}, at most ${most}`);
      if (most > 0 && log > 0.2 * most) near += 1;
    }
    assert.ok(near > 100, `the bound is near the evidence now and then: ${near} times`);
    assert.equal(mostHarm([tally(1, 97, 1, 2)], { tolerance: 0.02, wrong: 0 }), 0);
  });

  test('has expectation one at the edge of its null, over two rates, where all is answered and right', () => {
    const n = 3;
    for (const shift of [0.1, -0.1, 0]) {
      close(
        expectation(at(0.15 - shift / 2, 0.15 + shift / 2, NONE, NONE), n, (t) =>
          logNoWorse(t, { margin: shift, wrong: 0 }),
        ),
        1,
        1e-9,
        `margin ${shift}`,
      );
      close(
        expectation(at(0.15 - shift / 2, 0.15 + shift / 2, NONE, NONE), n, (t) =>
          logHarm(t, { tolerance: shift, wrong: 0 }),
        ),
        1,
        1e-9,
        `tolerance ${shift}`,
      );
    }
  });

  test('has expectation at most one whoever keeps silent and whichever answers are wrong, up to the share assumed', () => {
    const [n, wrong] = [3, 0.15];
    const shares = [0, 0.5, 1];
    for (const [win, loss] of [
      [0.1, 0.2],
      [0.05, 0.15],
      [0, 0.1],
    ] as const)
      for (const open of shares.flatMap((a) => shares.map((b) => ({ win: a, loss: b }))))
        for (const errors of [
          NONE,
          { win: wrong, loss: 0 },
          { win: 0, loss: wrong },
          { win: wrong, loss: wrong },
        ]) {
          const what = JSON.stringify({ win, loss, open, errors });
          const noWorse = expectation(at(win, loss, open, errors), n, (t) =>
            logNoWorse(t, { margin: loss - win, wrong }),
          );
          assert.ok(noWorse <= 1 + 1e-9, `no worse ${what}: ${noWorse}`);
          const harm = expectation(at(loss, win, open, errors), n, (t) =>
            logHarm(t, { tolerance: win - loss, wrong }),
          );
          assert.ok(harm <= 1 + 1e-9, `harm ${what}: ${harm}`);
        }
  });

  test('keeps every factor above zero for every shift, rate and share of wrong answers', () => {
    const random = seeded('factors');
    for (let i = 0; i < 500; i++) {
      const [rate, shift, wrong] = [
        2 ** -random.integer(9),
        random.between(-0.999, 0.999),
        random.between(0, 0.49),
      ];
      for (const counts of [
        tally(rate, 1, 0, 0),
        tally(rate, 0, 1, 0),
        tally(rate, 0, 0, 1),
        tally(rate, 0, 0, 0, 1),
      ]) {
        // The worst bet leaves 1 - kappa = 1/128 of the stake, and the mean over bets half of it.
        const least = Math.log(0.5) - 1e-9;
        assert.ok(
          logNoWorse([counts], { margin: shift, wrong }) >= least,
          JSON.stringify({ counts, shift, wrong }),
        );
        assert.ok(
          logHarm([counts], { tolerance: shift, wrong }) >= least,
          JSON.stringify({ counts, shift, wrong }),
        );
      }
    }
  });

  test('draws without an answer neither promote nor convict', () => {
    const answered = [tally(0.25, 4000, 40, 40)];
    const silent = [tally(0.25, 4000, 40, 10, 30)];
    const margin = { margin: 0.02, wrong: 0.02 };
    assert.ok(logNoWorse(silent, margin) <= logNoWorse(answered, { margin: 0.02, wrong: 0 }));
    assert.ok(logNoWorse([tally(1, 900, 0, 0, 100)], margin) < -3);
    assert.ok(logHarm([tally(1, 900, 0, 0, 100)], { tolerance: 0.01, wrong: 0.02 }) < 0);
  });

  test('refuses rates, counts and shifts that are none', () => {
    const options = { margin: 0.02, wrong: 0 };
    for (const broken of [
      tally(0, 1, 0, 0),
      tally(1.5, 1, 0, 0),
      tally(1, -1, 0, 0),
      tally(1, 0, Number.NaN, 0),
      tally(1, 0, 0, 0, Number.POSITIVE_INFINITY),
    ]) {
      assert.throws(() => logNoWorse([broken], options), RangeError);
      assert.throws(() => clusterOf([broken], 'harm', 0), RangeError);
    }
    for (const margin of [1, -1, Number.NaN])
      assert.throws(() => logNoWorse([], { margin, wrong: 0 }), RangeError);
    for (const wrong of [0.5, -0.1, Number.NaN])
      assert.throws(() => logHarm([], { tolerance: 0, wrong }), RangeError);
  });
});

describe('a cluster', () => {
  test('is the mean and the mean square of its steps', () => {
    const steps = (side: 'harm' | 'promotion') => {
      const w = 1.1 / 0.9;
      const [win, loss, open] = side === 'harm' ? [w, -1, 1] : [1, -w, -1];
      return [
        ...Array<number>(30).fill(0),
        ...[win, win, loss, open],
        ...Array<number>(60).fill(0),
        ...[win, loss, loss, open].map((x) => 4 * x),
      ];
    };
    for (const side of ['harm', 'promotion'] as const) {
      const all = steps(side);
      const cluster = clusterOf([tally(1, 30, 2, 1, 1), tally(0.25, 60, 1, 2, 1)], side, 0.1);
      close(cluster.mean, all.reduce((sum, x) => sum + x, 0) / all.length, 1e-12);
      close(cluster.square, all.reduce((sum, x) => sum + x * x, 0) / all.length, 1e-12);
      assert.equal(cluster.episodes, all.length);
      close(cluster.share ?? 0, (4 + 16) / 98, 1e-12);
      close((cluster.step ?? 0) ** 2, (34 + 64 * 16) / 98, 1e-12);
    }
    assert.deepEqual(clusterOf([], 'harm', 0), { mean: 0, square: 0, episodes: 0, share: 0, step: 1 });
  });
});
