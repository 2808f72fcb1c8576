import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seeded } from '@adbreak/shared/random.js';
import { z } from 'zod';
import { bootstrap, pairedBootstrap, quantile } from './bootstrap.js';
import { type Point, precisionRecallCurve, reliability, rocCurve, thin } from './curves.js';
import { confidentJoint } from './label-errors.js';
import { f1Of, matchCells, matchEvents } from './matching.js';
import { errorRates, METRICS, metricsOf } from './metrics.js';
import { slicesOf } from './slices.js';
import { sample, scenes } from './testing/samples.js';

const pair = z.tuple([z.number(), z.number()]);
const golden = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      probability: z.array(z.number()),
      isAd: z.array(z.number()),
      answers: z.array(
        z.object({
          threshold: z.number(),
          ...Object.fromEntries(METRICS.map((name) => [name, z.number()])),
          confusion: z.tuple([pair, pair]),
        }),
      ),
      roc: z.array(pair),
      precisionRecall: z.array(pair),
      confidentJoint: z.tuple([pair, pair]),
    }),
  ),
  timelines: z.array(
    z.object({
      truth: z.array(pair),
      detected: z.array(pair),
      length: z.number(),
      eventF1: z.array(z.number()),
      segmentF1: z.number(),
    }),
  ),
  quantiles: z.array(
    z.object({ values: z.array(z.number()), at: z.array(z.number()), answers: z.array(z.number()) }),
  ),
});
/** Made by scripts/reference/assessment_golden.py; `make verify-assessment` makes it again. */
const GOLDEN = fileURLToPath(new URL('../../testing/assessment-golden.json', import.meta.url));

const close = (a: number, b: number, what: string) =>
  assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${what}: ${a}, should be ${b}`);
const sameCurve = (ours: readonly Point[], theirs: readonly (readonly number[])[], what: string) => {
  assert.equal(ours.length, theirs.length, what);
  ours.forEach(({ x, y }, i) => {
    close(x, theirs[i]?.[0] ?? Number.NaN, `${what} x ${i}`);
    close(y, theirs[i]?.[1] ?? Number.NaN, `${what} y ${i}`);
  });
};

describe('against scikit-learn, numpy, cleanlab and sed_eval', () => {
  let known: z.infer<typeof golden>;
  before(async () => {
    known = golden.parse(JSON.parse(await readFile(GOLDEN, 'utf8')));
    assert.ok(known.cases.length >= 6 && known.timelines.length >= 6);
  });
  const scoresOf = ({ probability, isAd }: (typeof known)['cases'][number]) =>
    probability.map((p, i) => ({ probability: p, isAd: isAd[i] === 1 }));

  test('every metric of a picture is theirs, with ties, few advertisements and at two thresholds', () => {
    for (const one of known.cases)
      for (const answer of one.answers) {
        const ours = metricsOf(scoresOf(one), answer.threshold);
        const theirs: Readonly<Record<string, unknown>> = answer;
        for (const name of METRICS)
          close(ours[name], Number(theirs[name]), `${one.name} at ${answer.threshold}: ${name}`);
        assert.deepEqual(ours.confusion, answer.confusion, one.name);
      }
  });
  test('the curves are theirs, point by point', () => {
    for (const one of known.cases) {
      sameCurve(rocCurve(scoresOf(one)), one.roc, `${one.name} ROC`);
      sameCurve(precisionRecallCurve(scoresOf(one)).slice(1), one.precisionRecall, `${one.name} PR`);
    }
  });
  test('the confident joint is cleanlab’s', () => {
    for (const one of known.cases)
      assert.deepEqual(confidentJoint(scoresOf(one)), one.confidentJoint, one.name);
  });
  test('event F1 at three collars and F1 of seconds are sed_eval’s', () => {
    const stretches = (pairs: readonly (readonly [number, number])[]) =>
      pairs.map(([start, end]) => ({ start, end }));
    for (const [i, { truth, detected, length, eventF1, segmentF1 }] of known.timelines.entries()) {
      [1, 2, 5].forEach((collar, which) =>
        close(
          f1Of(matchEvents(stretches(truth), stretches(detected), collar)) ?? 0,
          eventF1[which] ?? Number.NaN,
          `timeline ${i}, collar ${collar}`,
        ),
      );
      const cells = matchCells(stretches(truth), stretches(detected), [{ start: 0, end: length }]);
      close(f1Of(cells) ?? 0, segmentF1, `timeline ${i}, seconds`);
    }
  });
  test('quantiles are numpy’s', () => {
    for (const { values, at, answers } of known.quantiles)
      at.forEach((share, i) =>
        close(quantile(values, share), answers[i] ?? Number.NaN, `${values} at ${share}`),
      );
  });
});

describe('what has no value', () => {
  test('is a number all the same, and says nothing in favour of the model', () => {
    const nothing = metricsOf([]);
    assert.deepEqual([nothing.frames, nothing.accuracy, nothing.rocAuc, nothing.prAuc], [0, 0, 0.5, 0]);
    const ads = metricsOf([{ probability: 0.9, isAd: true }]);
    assert.deepEqual(
      [ads.accuracy, ads.rocAuc, ads.confusion],
      [
        1,
        0.5,
        [
          [0, 0],
          [0, 1],
        ],
      ],
    );
    assert.deepEqual(errorRates(ads), { contentCalledAd: null, adCalledContent: 0 });
    assert.deepEqual(rocCurve([{ probability: 0.9, isAd: true }]), []);
    assert.equal(confidentJoint([{ probability: 0.9, isAd: true }]), null);
  });
});

describe('reliability', () => {
  test('counts each picture in the bin of its probability, the ends included', () => {
    const bins = reliability([
      { probability: 0, isAd: false },
      { probability: 1, isAd: true },
      { probability: 0.999, isAd: false },
    ]);
    assert.deepEqual(bins, [
      { probability: 0, ads: 0, frames: 1 },
      { probability: 0.9995, ads: 0.5, frames: 2 },
    ]);
  });
  test('a long curve is thinned and keeps its ends', () => {
    const line = Array.from({ length: 5000 }, (_, i) => ({ x: i, y: i }));
    const thinned = thin(line, 100);
    assert.deepEqual([thinned.length, thinned[0]?.x, thinned.at(-1)?.x], [100, 0, 4999]);
    assert.deepEqual(thin(line.slice(0, 3), 100), line.slice(0, 3));
  });
});

describe('the bootstrap by groups', () => {
  test('gives the same intervals for the same seed, around the value', () => {
    const scored = scenes(seeded('bootstrap'), 60, 5);
    const [one, same, other] = [1, 1, 2].map((seed) => bootstrap(scored, { seed }));
    assert.deepEqual(one, same);
    assert.notDeepEqual(one, other);
    const metrics = metricsOf(scored);
    for (const name of ['accuracy', 'f1', 'rocAuc', 'prAuc', 'brier'] as const) {
      const interval = one?.[name];
      assert.ok(interval && interval.low < metrics[name] && metrics[name] < interval.high, name);
    }
  });
  test('knows that pictures of one scene are copies of each other: ten of each tell no more than one', () => {
    const width = (size: number) => {
      const interval = bootstrap(scenes(seeded('copies'), 60, size), { seed: 1 }).accuracy;
      return interval === null ? 0 : interval.high - interval.low;
    };
    assert.ok(width(10) > 0.7 * width(1), `${width(10)} and ${width(1)}`);
    const alone = scenes(seeded('copies'), 60, 10).map((one, i) => ({ ...one, group: String(i) }));
    const naive = bootstrap(alone, { seed: 1 }).accuracy;
    assert.ok(naive !== null && naive.high - naive.low < 0.5 * width(10));
  });
  test('covers the truth about as often as it says', () => {
    // Truth: P(z > 0 | ad) = Phi(1) = .8413 for scenes of one picture.
    const random = seeded('coverage');
    const hits = Array.from({ length: 100 }, (_, run) => {
      const interval = bootstrap(scenes(random, 80, 1), { seed: run, resamples: 200 }).accuracy;
      return interval !== null && interval.low <= 0.8413 && 0.8413 <= interval.high;
    }).filter(Boolean).length;
    assert.ok(hits >= 86, `${hits} of 100`);
  });
  test('of one group, or of a metric that hardly a draw has, there is no interval', () => {
    assert.deepEqual(
      Object.values(bootstrap([sample({ isAd: true, probability: 0.9 })], { seed: 1 })).filter(Boolean),
      [],
    );
    // The only advertisement is one of two groups: a draw in four has none.
    const lonely = [
      sample({ isAd: true, probability: 0.9, group: 'a' }),
      sample({ isAd: false, probability: 0.1, group: 'b' }),
    ];
    const intervals = bootstrap(lonely, { seed: 1 });
    assert.equal(intervals.rocAuc, null);
    assert.notEqual(intervals.accuracy, null);
  });
  test('of two models counts both on the same draws, and tells apart what separate intervals do not', () => {
    const a = scenes(seeded('paired'), 80, 4);
    const b = a.map((one) => ({
      ...one,
      probability: one.probability + (one.isAd ? 0.04 : -0.04) * one.probability * (1 - one.probability) * 4,
    }));
    const [brierA, brierB] = [bootstrap(a, { seed: 1 }).brier, bootstrap(b, { seed: 1 }).brier];
    assert.ok(brierA !== null && brierB !== null && brierB.high > brierA.low, 'they overlap');
    const difference = pairedBootstrap(a, b.toReversed(), { seed: 1 }).brier;
    assert.ok(difference !== null && difference.high < 0, JSON.stringify(difference));
  });
});

test('slices come by source, the weakest first, each with what it is worth', () => {
  const scored = scenes(seeded('slices'), 40, 3);
  const [first, second] = slicesOf(scored, { seed: 1 });
  assert.ok(first !== undefined && second !== undefined && first.metrics.f1 <= second.metrics.f1);
  assert.deepEqual([first.groups, second.groups], [20, 20]);
  assert.equal(first.metrics.frames + second.metrics.frames, scored.length);
  assert.notEqual(first.intervals.f1, null);
});
