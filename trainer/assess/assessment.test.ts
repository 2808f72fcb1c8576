import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { alikeSplits, differenceHash } from './alike.js';
import { type AssessmentInput, assess } from './assessment.js';
import { compareModels } from './comparison.js';
import { formatComparison } from './comparison-text.js';
import { ensembleOf } from './ensemble.js';
import { formatFindings } from './finding.js';
import { findingsOf } from './findings.js';
import { likelyLabelErrors, worstMistakes } from './label-errors.js';
import { estimateOnPi } from './pi-estimate.js';
import { guideResults, resultsOf } from './results.js';
import { recording, sample, scenes } from './testing/samples.js';

const NOW = new Date('2026-03-01T10:00:00Z');
const benchmark = {
  ...{ runtime: 'tflite', threads: 1, inferences: 200, meanMs: 42.3, p50Ms: 41, p95Ms: 48.7, p99Ms: 52.1 },
  ...{ coldStartMs: 90, memoryMb: 120, modelMemoryMb: 20 },
};
const input = (over: Partial<AssessmentInput> = {}): AssessmentInput => {
  const named = (split: string) =>
    scenes(seeded(split), 40, 3).map((one) => ({
      ...one,
      group: `${split}/${one.group}`,
      probability: one.isAd ? 0.97 : 0.03,
    }));
  return {
    subject: {
      ...{ name: 'base-ad-detector', version: '1.0.0', architecture: 'small_net' },
      members: [{ digest: 'a'.repeat(64), bytes: 1000, multiplyAdds: 407e6 }],
    },
    ...{ fingerprint: 'f'.repeat(64), epochs: [], parameters: {}, benchmark, seed: 1 },
    scored: { train: named('train'), val: named('val'), test: named('test') },
    ...over,
  };
};
const saysOf = (over: Partial<AssessmentInput>, mark: '✓' | '⚠') =>
  formatFindings(findingsOf(assess(input(over))).filter((finding) => finding.mark === mark)).join('\n');

describe('good indicators and warning signs', () => {
  test('a good model has the guide’s four good ones, and no warning', () => {
    assert.equal(saysOf({}, '⚠'), '');
    const good = saysOf({}, '✓');
    for (const words of [
      /Accuracy 1\.000 \(over 0\.9\)/,
      /F1 score/,
      /48\.7 ms \(P95\)/,
      /Balanced confusion matrix/,
      /No large difference/,
    ])
      assert.match(good, words);
  });
  test('several warnings that one thing mends stand together, and name it once', () => {
    const wrong = scenes(seeded('wrong'), 40, 3).map((one) => ({
      ...one,
      probability: one.isAd ? 0.03 : 0.97,
    }));
    const scored = { ...input().scored, test: wrong };
    const lines = saysOf({ scored }, '⚠').split('\n');
    for (const words of [/Accuracy/, /F1 score/]) assert.ok(lines.some((line) => words.test(line)));
    const remedies = lines.filter((line) => line.includes('what to do: '));
    assert.ok(remedies.length > 1 && remedies.length < lines.length / 2, lines.join('\n'));
    assert.equal(new Set(remedies).size, remedies.length);
  });
  test('each warning of the guide names its remedy', () => {
    const test = scenes(seeded('weak'), 40, 3);
    const muting = test.map((one, i) => ({ ...one, probability: one.isAd || i % 4 === 0 ? 0.9 : 0.1 }));
    const deaf = test.map((one, i) => ({ ...one, probability: one.isAd && i % 4 !== 0 ? 0.9 : 0.1 }));
    const scoredAs = (samples: typeof test) => ({ scored: { ...input().scored, test: samples } });
    for (const [over, words] of [
      [
        scoredAs(muting),
        /High false positive rate: [\d.]+ % of the programme[\s\S]*what to do: The wrong pictures/,
      ],
      [scoredAs(deaf), /High false negative rate[\s\S]*what to do: The wrong pictures/],
      [scoredAs(muting), /Accuracy [\d.]+ is[\s\S]*what to do: Low accuracy: collect more pictures \(20,000/],
      [scoredAs(muting), /Large difference between training and test[\s\S]*Overfitting: more augmentation/],
      [
        { benchmark: { ...benchmark, meanMs: 120, p95Ms: 140 } },
        /140\.0 ms \(P95\)[\s\S]*over 100[\s\S]*Slow inference: reduce model\.input_shape/,
      ],
      [
        { requirements: [{ name: 'min_f1_score', wanted: 0.85, got: 0.8, met: false }] },
        /min_f1_score is missed by 0\.050/,
      ],
    ] as const)
      assert.match(saysOf(over, '⚠'), words);
  });
  test('what is to be done of several that follow each other is said once, behind the last', () => {
    const { scored } = input();
    const over = { scored: { ...scored, val: scored.train ?? [], test: (scored.train ?? []).slice(0, 9) } };
    const lines = formatFindings(findingsOf(assess(input(over))));
    const splits = lines.filter((line) => line.includes('Splits that are no strangers'));
    assert.equal(lines.filter((line) => / are alike:|comes from/.test(line)).length, 4);
    assert.equal(splits.length, 1);
    assert.match(lines[lines.indexOf(splits[0] ?? '') - 1] ?? '', /^⚠ The test split comes from/);
  });
  test('requirements have their units', () => {
    const requirements = [
      { name: 'max_inference_time_ms', wanted: 100, got: 48.7123, met: true },
      { name: 'min_accuracy', wanted: 0.9, got: 0.95, met: true },
    ];
    const good = saysOf({ requirements }, '✓');
    assert.match(good, /max_inference_time_ms is met: 100 ms wanted, 48\.7 ms measured/);
    assert.match(good, /min_accuracy is met: 0\.9 wanted, 0\.950 measured/);
  });
  test('what the numbers hide is said: nothing learnt, one class, few recordings, a weak source', () => {
    const { scored } = input();
    const all = scored.test ?? [];
    for (const [test, words] of [
      [
        all.map((one) => ({ ...one, probability: 0.9 })),
        /Always saying (advertisement|programme) would be right in/,
      ],
      [all.filter(({ isAd }) => isAd), /pictures of advertisements alone/],
      [all.slice(0, 9), /comes from 3 recordings or scenes: the intervals are narrower than the truth/],
      [
        all.map((one) => ({ ...one, probability: one.source === 'odd' ? 0.6 : one.probability })),
        /odd is served worse than the rest/,
      ],
      [[], /no test split/],
    ] as const)
      assert.match(saysOf({ scored: { ...scored, test } }, '⚠'), words);
    const { splits } = assess(input());
    assert.ok(splits.test !== undefined);
    assert.match(
      saysOf({ baselines: { 'colour histogram': splits.test.metrics } }, '⚠'),
      /no better than the baseline's \(colour histogram, 1\.000\)/,
    );
  });
  test('on recordings false mutes are counted, and a delay is given', () => {
    const parts = [
      { seconds: 60, isAd: false, says: 0.05 },
      { seconds: 30, isAd: false, says: 0.95 },
      { seconds: 30, isAd: false, says: 0.05 },
      { seconds: 60, isAd: true, says: 0.05 },
    ];
    const says = saysOf({ scored: { test: recording('a', [...parts, ...parts]) } }, '⚠');
    assert.match(says, /false mutes an hour: people switch it off/);
    assert.match(says, /2 of 2 breaks are never noticed/);
  });
});

describe('splits that are alike', () => {
  const pictures = scenes(seeded('alike'), 30, 2);
  test('are found by their groups, and strangers are not', () => {
    const strangers = scenes(seeded('other'), 30, 2).map((one) => ({ ...one, group: `other ${one.group}` }));
    assert.deepEqual(alikeSplits({ train: strangers, test: pictures }), []);
    const [found] = alikeSplits({ val: pictures.slice(0, 20), test: pictures });
    assert.deepEqual([found?.splits, found?.groups.length], [['val', 'test'], 10]);
    assert.match(
      saysOf({ scored: { val: pictures, test: pictures } }, '⚠'),
      /val and test are alike: 100\.0 %/,
    );
  });
  test('are two parts of one recording, though no second of it is in both', () => {
    const all = recording('evening', [
      { seconds: 30, isAd: false, says: 0.1 },
      { seconds: 30, isAd: true, says: 0.9 },
    ]);
    const named = (split: string, samples: typeof all) => samples.map((one) => ({ ...one, group: split }));
    const [found] = alikeSplits({ train: named('a', all.slice(0, 60)), test: named('b', all.slice(60)) });
    assert.deepEqual([found?.splits, found?.share], [['train', 'test'], 1]);
  });
  test('are found by their pictures, in another size or quality', () => {
    const random = seeded('pixels');
    const draw = (size: number, level: (x: number, y: number) => number) =>
      Uint8Array.from({ length: size * size * 3 }, (_, i) => {
        const at = Math.floor(i / 3);
        return level((at % size) / size, Math.floor(at / size) / size) + random.integer(5);
      });
    const scene = (seed: number) => {
      const chance = seeded(`scene ${seed}`);
      const waves = Array.from({ length: 4 }, () => [
        chance.between(-9, 9),
        chance.between(-9, 9),
        chance.between(0, 6),
      ]);
      return (x: number, y: number) =>
        waves.reduce((sum, [a = 0, b = 0, c = 0]) => sum + 25 * Math.sin(a * x + b * y + c), 120);
    };
    const hashes = (from: number, size: number) =>
      Array.from({ length: 30 }, (_, i) => differenceHash(draw(size, scene(from + i)), size, size));
    const alone = pictures.slice(0, 30).map((one, i) => ({ ...one, group: `train ${i}` }));
    const splits = { train: alone, test: pictures.slice(30) };
    const [found] = alikeSplits(splits, { train: hashes(0, 96), test: hashes(0, 64) });
    assert.ok((found?.share ?? 0) > 0.8, `${found?.share}`);
    assert.deepEqual(found?.groups, []);
    assert.deepEqual(alikeSplits(splits, { train: hashes(0, 96), test: hashes(500, 64) }), []);
  });
  test('are not alike because both have black pictures', () => {
    const black = differenceHash(new Uint8Array(32 * 32 * 3), 32, 32);
    assert.deepEqual(black, { high: 0, low: 0 });
    assert.deepEqual(
      alikeSplits({ train: [], test: pictures }, { train: [black], test: pictures.map(() => black) }),
      [],
    );
  });
});

describe('mistakes', () => {
  test('are shown one of each scene, the surest first', () => {
    const scored = recording('a', [
      { seconds: 20, isAd: false, says: 0.9 },
      { seconds: 20, isAd: true, says: 0.95 },
      { seconds: 20, isAd: false, says: 0.99 },
    ]);
    const [first, second, ...more] = worstMistakes(scored, 9);
    assert.deepEqual(
      [first?.sample.probability, first?.pictures, second?.sample.probability, more],
      [0.99, 40, 0.9, []],
    );
    assert.equal(worstMistakes(scored, 1).length, 1);
  });
  test('that the model is as sure of as of right ones are likely errors of the labels', () => {
    const random = seeded('labels');
    const right = Array.from({ length: 200 }, (_, i) => {
      const isAd = i % 2 === 0;
      return sample({ isAd, probability: (isAd ? 0.85 : 0.15) + 0.05 * random.normal(), group: `g${i}` });
    });
    const doubtful = sample({ isAd: true, probability: 0.45, group: 'doubtful' });
    const wrong = sample({ isAd: true, probability: 0.04, group: 'mislabelled' });
    const found = likelyLabelErrors([...right, doubtful, wrong], 9);
    assert.deepEqual(
      found.map(({ sample: { group } }) => group),
      ['mislabelled'],
    );
  });
});

describe('models side by side', () => {
  const a = scenes(seeded('sides'), 60, 3);
  const better = a.map((one) => ({ ...one, probability: one.isAd ? 0.97 : 0.03 }));
  const contender = (scored: typeof a) => ({ scored, decision: DEFAULT_DECIDER });
  test('the better one is called so in the metrics in which it is, and equals are not told apart', () => {
    const { metrics } = compareModels(contender(a), contender(better), 1);
    for (const { metric, better: which } of metrics) assert.equal(which, 'b', metric);
    const lines = formatComparison(
      compareModels(contender(a), contender(a), 1),
      ['one', 'other'],
      [benchmark],
    );
    assert.match(lines.join('\n'), /cannot be told apart/);
  });
  test('on other pictures are refused', () => {
    for (const other of [a.slice(1), a.toReversed()])
      assert.throws(
        () => compareModels(contender(a), contender(other), 1),
        (error: unknown) => error instanceof AdbreakError && error.code === 'input_invalid',
      );
    assert.throws(() => ensembleOf([]), /it has no model/);
  });
  test('as one have the mean of their probabilities', () => {
    const [first] = ensembleOf([a, better]);
    assert.equal(first?.probability, ((a[0]?.probability ?? 0) + (better[0]?.probability ?? 0)) / 2);
    assert.equal(first?.group, a[0]?.group);
  });
});

test('an estimate for a Pi is a range, grows with the multiply-adds and shrinks with cores', () => {
  const [four, five] = estimateOnPi(407e6, 4);
  assert.ok(four !== undefined && five !== undefined && four.low < four.high && five.high < four.high);
  // MobileNet v1 and v2 in INT8, from which it is made: 24 and 17 ms.
  assert.ok(Math.abs((estimateOnPi(569e6, 4)[0]?.low ?? 0) - 24) < 1e-9);
  assert.ok(Math.abs((estimateOnPi(300e6, 4)[0]?.high ?? 0) - 17) < 1e-9);
  assert.ok((estimateOnPi(407e6, 1)[0]?.low ?? 0) > 2 * four.low);
});

test('training_results.json has the keys and shapes of the guide, without a class too', () => {
  const assessment = assess(input());
  const results: unknown = JSON.parse(JSON.stringify(resultsOf(assessment, findingsOf(assessment), NOW)));
  const { test_metrics, benchmark: speed } = guideResults.parse(results);
  assert.deepEqual(speed, { mean_ms: 42.3, p95_ms: 48.7, p99_ms: 52.1 });
  const [[tn, fp], [fn, tp]] = test_metrics.confusion_matrix;
  assert.equal(tn + fp + fn + tp, 120);
  assert.equal(test_metrics.f1_score, 1);
  const alone = assess(
    input({ scored: { test: [sample({ isAd: true, probability: 0.9 })] }, benchmark: null }),
  );
  guideResults.parse(JSON.parse(JSON.stringify(resultsOf(alone, findingsOf(alone), NOW))));
});

test('the same scores give the same assessment', () => assert.deepEqual(assess(input()), assess(input())));
