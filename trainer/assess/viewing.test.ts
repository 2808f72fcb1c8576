import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { seeded } from '@adbreak/shared/random.js';
import { chooseDecision } from './choice.js';
import { matchCells, matchEvents } from './matching.js';
import { recording, sample } from './testing/samples.js';
import { mutedOf, timelinesOf } from './timeline.js';
import { costOf, viewingOf } from './viewing.js';

const ad = (seconds: number, says = 0.95) => ({ seconds, isAd: true, says });
const content = (seconds: number, says = 0.05) => ({ seconds, isAd: false, says });
const near = (value: number, wanted: number, within: number) =>
  assert.ok(Math.abs(value - wanted) <= within, `${value}, should be ${wanted}`);

describe('a timeline', () => {
  test('has the borders midway between two frames, and neighbouring parts of one label as one', () => {
    const [timeline] = timelinesOf(recording('a', [content(10), content(5), ad(5), ad(10), content(10)]));
    assert.equal(timeline?.period, 0.5);
    assert.deepEqual(timeline?.truth, [
      { start: 0, end: 14.75, label: 'content' },
      { start: 14.75, end: 29.75, label: 'ad' },
      { start: 29.75, end: 39.75, label: 'content' },
    ]);
  });
  test('keeps a hole in the labels a hole', () => {
    const [timeline] = timelinesOf([...recording('a', [ad(10)]), ...recording('a', [ad(10)], 60)]);
    assert.deepEqual(
      timeline?.truth.map(({ start, end }) => [start, end]),
      [
        [0, 9.75],
        [59.75, 69.75],
      ],
    );
  });
  test('is made of frames close enough to decide by, and of nothing else', () => {
    assert.deepEqual(timelinesOf([sample({ isAd: true, probability: 0.9 })]), []);
    const sparse = recording('a', [content(60), ad(60)]).filter((_, i) => i % 10 === 0);
    assert.deepEqual(timelinesOf(sparse), []);
    assert.equal(timelinesOf(recording('a', [ad(20)]).toReversed())[0]?.frames[0]?.time, 0);
  });
});

describe('what a viewer feels', () => {
  test('of a model that is always right: short delays, nothing muted by mistake, every break found', () => {
    const viewing = viewingOf(
      timelinesOf(recording('a', [content(120), ad(60), content(120), ad(60), content(120)])),
      DEFAULT_DECIDER,
    );
    assert.ok(viewing !== null);
    assert.deepEqual(
      [viewing.recordings, viewing.breaks, viewing.missed, viewing.falseMutesPerHour],
      [1, 2, 0, 0],
    );
    near(viewing.hours, 480 / 3600, 1e-3);
    assert.ok(
      (viewing.onset.median ?? 99) > 0 && (viewing.onset.median ?? 99) < 3,
      JSON.stringify(viewing.onset),
    );
    // The edges are dated to where the doubt began, a little more than a second late.
    assert.deepEqual(
      viewing.eventF1.map(({ f1 }) => f1),
      [0, 1, 1],
    );
    assert.ok(viewing.adsHeardPerHour > 0 && viewing.programmeMutedPerHour > 0);
    assert.ok((viewing.segmentF1 ?? 0) > 0.9);
  });
  test('of a scene that looks like an advertisement: one false mute, and its seconds', () => {
    const viewing = viewingOf(
      timelinesOf(recording('a', [content(1700), content(30, 0.95), content(70), ad(60), content(1740)])),
      DEFAULT_DECIDER,
    );
    assert.ok(viewing !== null);
    near(viewing.falseMutesPerHour, 1, 0.01);
    // Of one event Poisson's exact interval is .0253 to 5.572.
    near(viewing.falseMutesInterval.low, 0.0253, 0.001);
    near(viewing.falseMutesInterval.high, 5.572, 0.01);
    near(viewing.programmeMutedPerHour, 32, 4);
    assert.equal(viewing.missed, 0);
  });
  test('of breaks that are never noticed: they are missed, and their delay has no end', () => {
    const deaf = viewingOf(
      timelinesOf(recording('a', [content(60), ad(60, 0.05), content(60)])),
      DEFAULT_DECIDER,
    );
    assert.deepEqual([deaf?.missed, deaf?.onset, deaf?.segmentF1], [1, { median: null, p90: null }, 0]);
    const parts = Array.from({ length: 12 }, (_, i) => [
      content(90),
      ad(60, i % 3 === 0 ? 0.05 : 0.95),
    ]).flat();
    const third = viewingOf(timelinesOf(recording('a', parts)), DEFAULT_DECIDER);
    assert.equal(third?.missed, 4);
    assert.ok(third.onset.median !== null && third.onset.p90 === null);
  });
  test('of pictures without time nothing is known, and outside of the labels nothing counts', () => {
    assert.equal(viewingOf(timelinesOf([sample({ isAd: true, probability: 1 })]), DEFAULT_DECIDER), null);
    const cells = matchCells([], [{ start: 100, end: 110 }], [{ start: 0, end: 50 }]);
    assert.deepEqual(cells, { truePositives: 0, falsePositives: 0, falseNegatives: 0 });
  });
  test('a mute lasts to the end of the recording where nothing ends it', () => {
    const [timeline] = timelinesOf(recording('a', [content(30), ad(30)]));
    assert.ok(timeline !== undefined);
    const muted = mutedOf(timeline, DEFAULT_DECIDER);
    assert.deepEqual([muted.length, muted[0]?.end], [1, 60]);
  });
});

test('as many breaks are matched as can be, not the nearest ones first', () => {
  const stretch = (start: number, end: number) => ({ start, end });
  const truth = [stretch(10, 20), stretch(12, 22)];
  // The first break could take either, the second the first one alone.
  const detected = [stretch(11, 21), stretch(8.5, 18.5)];
  assert.equal(matchEvents(truth, detected, 2).truePositives, 2);
  assert.deepEqual(matchEvents(truth, [stretch(11, 30)], 2), {
    truePositives: 0,
    falsePositives: 1,
    falseNegatives: 2,
  });
});

describe('the decision that validation chooses', () => {
  const evening = (says: { ad: number; content: number }, seed: string) => {
    const random = seeded(seed);
    return recording(
      seed,
      Array.from({ length: 16 }, () => [
        content(60 + random.integer(60), says.content),
        content(1 + random.integer(3), 0.9),
        ad(30 + random.integer(40), says.ad),
      ]).flat(),
    );
  };
  test('costs a viewer less where probabilities lean, on other recordings too', () => {
    // It never gets beyond .55 in a break, and is seldom under .2 in the programme.
    const leaning = { ad: 0.55, content: 0.2 };
    const validation = evening(leaning, 'val');
    const { decision, reason } = chooseDecision(validation);
    assert.match(reason, /costs a viewer least/);
    assert.equal(viewingOf(timelinesOf(validation), decision)?.missed, 0);
    const other = timelinesOf(evening(leaning, 'test'));
    assert.ok(costOf(other, decision) < 0.9 * costOf(other, DEFAULT_DECIDER));
  });
  test('is the usual one where nothing is clearly better, or where there is too little to choose by', () => {
    const few = chooseDecision(recording('a', [content(60), ad(60, 0.55), content(60)]));
    assert.deepEqual(few.decision, DEFAULT_DECIDER);
    assert.match(few.reason, /1 breaks in the validation split are too few/);
    assert.deepEqual(chooseDecision([]).decision, DEFAULT_DECIDER);
  });
  test('of single pictures is a threshold, by F1', () => {
    const random = seeded('threshold');
    const pictures = Array.from({ length: 400 }, () => {
      const isAd = random.uniform() < 0.5;
      return sample({
        isAd,
        probability: Math.min(0.99, Math.max(0.01, (isAd ? 0.55 : 0.25) + 0.1 * random.normal())),
      });
    });
    const { decision, reason } = chooseDecision(pictures);
    assert.deepEqual([decision.threshold, decision.meanSeconds], [0.4, DEFAULT_DECIDER.meanSeconds]);
    assert.match(reason, /single pictures/);
  });
});
