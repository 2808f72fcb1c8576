import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { seeded } from '../random.js';
import { confidenceBasedAccuracy, expectedCalibrationError, shiftedPrior } from './calibration.js';
import { disagreementEvidence, startDetector, watchDisagreements } from './disagreement.js';
import { FleetLikelihood } from './fleet.js';
import { logClosed } from './multiplicity.js';
import { logNonInferiority } from './non-inferiority.js';
import { logNonInferioritySampled } from './sampled.js';
import {
  calibrate,
  conformalP,
  HOURS_OF_WEEK,
  hourOf,
  scoresOf,
  startWorld,
  watchAlarm,
  watchWorld,
  worldEvidence,
} from './world.js';

const close = (given: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(given - expected) <= tolerance, `${given}, expected ${expected}`);

/** `make verify-evidence` holds all of these to Python's packages; here are the properties that a gate relies on. */
describe('the WORLD detector', () => {
  const random = seeded('world');
  const draw = (ads: number) => {
    const bins = Array<number>(16).fill(0);
    for (let i = 0; i < 60; i++) {
      const at = Math.min(15, Math.max(0, Math.floor((random.uniform() < ads ? 14 : 1) + random.normal())));
      bins[at] = (bins[at] ?? 0) + 1;
    }
    return bins;
  };
  const rate = (hour: number) => 0.2 + 0.15 * Math.sin((2 * Math.PI * (hour % 24)) / 24);
  const reference = Array.from({ length: 4 }, () =>
    Array.from({ length: HOURS_OF_WEEK }, (_, hour) => draw(rate(hour))),
  );
  const calibration = calibrate(reference);
  assert.ok(calibration !== null);

  test('p is uniform for one more score of the same law', () => {
    const counts = Array<number>(10).fill(0);
    for (let i = 0; i < 5000; i++) {
      const scores = Array.from({ length: 99 }, () => random.uniform()).sort((a, b) => a - b);
      const bin = Math.min(9, Math.floor(10 * conformalP(scores, random.uniform(), random.uniform())));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    for (const count of counts) close(count / 5000, 0.1, 0.02);
    assert.ok(conformalP([1, 2, 3], 4, 0) < conformalP([1, 2, 3], 0, 0));
    assert.ok(
      conformalP([1, 2, 3], 4, 0.5, 6) > conformalP([1, 2, 3], 4, 0.5),
      'scores that go together promise less',
    );
  });
  test('stays quiet in an unchanged world and alarms in a changed one', () => {
    let [quiet, changed] = [startWorld(calibration), startWorld(calibration)];
    for (let hour = 0; hour < HOURS_OF_WEEK; hour++)
      quiet = watchWorld(calibration, quiet, hour, draw(rate(hour)), random);
    assert.ok(worldEvidence(quiet) < 5000, `${worldEvidence(quiet)}`);
    let alarm = 0;
    for (let hour = 0; hour < HOURS_OF_WEEK && alarm === 0; hour++) {
      changed = watchWorld(calibration, changed, hour, draw(rate(hour) + 0.25), random);
      if (worldEvidence(changed) >= 5000) alarm = hour + 1;
    }
    assert.ok(alarm > 0 && alarm < 60, `alarm after ${alarm} hours`);
  });
  test('an alarm stands while the world is changed, and ends some two days after it is as before', () => {
    const limit = 5000;
    let state = startWorld(calibration);
    const live = (hours: number, extra: number) => {
      let standing = 0;
      for (let i = 0; i < hours; i++) {
        const hour = state.windows % HOURS_OF_WEEK;
        state = watchAlarm(
          calibration,
          watchWorld(calibration, state, hour, draw(rate(hour) + extra), random),
          limit,
        );
        standing += Number(state.alarmAt !== null);
      }
      return standing;
    };
    live(72, 0);
    assert.equal(state.alarmAt, null);
    const shifted = live(200, 0.3);
    const alarmAt = state.alarmAt;
    assert.ok(alarmAt !== null && alarmAt < 72 + 40, `alarm at window ${alarmAt}`);
    assert.equal(shifted, 200 - (alarmAt - 73), 'without a gap, through quiet hours');
    const still = live(150, 0);
    assert.ok(state.alarmAt === null && still >= 20 && still <= 80, `stood ${still} hours longer`);
    assert.ok(worldEvidence(state) < limit, 'and its statistics began afresh');
  });
  test('the hour of the week is the reference: an evening is no drift', () => {
    assert.ok(scoresOf(draw(0.35), draw(0.35))[2] < scoresOf(draw(0.35), draw(0.05))[2]);
    assert.deepEqual(hourOf(Date.parse('1970-01-01T05:30:00.000Z')), { hour: 5, ofWeek: 5 });
    assert.equal(hourOf(Date.parse('1970-01-08T05:30:00.000Z')).ofWeek, 5);
  });
  test('one week, or weeks with holes, are no reference; an unwatched hour changes nothing', () => {
    assert.equal(calibrate(reference.slice(0, 1)), null);
    assert.equal(
      calibrate(reference.map((week) => week.map((one, hour) => (hour < 100 ? one : null))).slice(0, 1)),
      null,
    );
    const holes = calibrate(reference.map((week) => week.map((one, hour) => (hour === 7 ? null : one))));
    assert.ok(holes !== null);
    const state = startWorld(holes);
    assert.equal(watchWorld(holes, state, 7, draw(0.9), random), state);
    assert.equal(watchWorld(holes, state, 8, Array<number>(16).fill(0), random), state);
  });
});

describe('the disagreement detector', () => {
  test('runs at least c episodes on average before a false alarm, and finds a doubled share', () => {
    const random = seeded('disagreement');
    const c = 400;
    let sum = 0;
    const runs = 60;
    for (let run = 0; run < runs; run++) {
      let detector = startDetector(0.1);
      let n = 0;
      while (disagreementEvidence(detector) < c && n < 4000) {
        detector = watchDisagreements(detector, Number(random.uniform() < 0.1), 1);
        n += 1;
      }
      sum += n;
    }
    assert.ok(sum / runs >= c, `mean run ${sum / runs}`);
    let doubled = startDetector(0.1);
    let windows = 0;
    for (; disagreementEvidence(doubled) < 1e5 && windows < 100; windows++)
      doubled = watchDisagreements(doubled, 20, 100);
    assert.ok(windows < 8, `${windows}`);
  });
  test('a window counts the same in pieces of one episode as in closed form', () => {
    let pieces = startDetector(0.07);
    for (let k = 1; k <= 40; k++) pieces = watchDisagreements(pieces, Number(k % 10 === 0), 1);
    const whole = watchDisagreements(startDetector(0.07), 4, 40);
    close(Math.log(disagreementEvidence(pieces)), Math.log(disagreementEvidence(whole)), 1e-9);
    assert.ok(Number.isFinite(disagreementEvidence(watchDisagreements(startDetector(0.01), 1e6, 1e6))));
    let detector = watchDisagreements(startDetector(0.1), 900, 1000, 1e6);
    assert.equal(disagreementEvidence(detector), 1e6);
    for (let hour = 0; hour < 24; hour++) detector = watchDisagreements(detector, 8, 80, 1e6);
    assert.ok(disagreementEvidence(detector) < 1e4, 'bounded, it falls within a day when the rise is over');
  });
});

describe('several hypotheses', () => {
  test('closed testing needs no more than Bonferroni, and more than nothing', () => {
    const [own, other] = [Math.log(30), Math.log(0.01)];
    assert.ok(logClosed([own, other], 0) <= own);
    assert.ok(logClosed([own, other], 0) >= own - Math.log(2));
    close(logClosed([own], 0), own, 1e-12);
    close(logClosed([own, Math.log(1000)], 0), own, 1e-12);
  });
});

describe('sampled labels', () => {
  test('at rate one are M itself, and have expectation one at the margin', () => {
    close(
      logNonInferioritySampled({ wins: 3, losses: 2, zeros: 40 }, 0.05, 1),
      logNonInferiority({ wins: 3, losses: 2, agreed: 40 }, 0.05),
      1e-12,
    );
    // One episode: loses with .3, wins with .2, each labelled with chance .5; mean of d is -.1.
    const e = (wins: number, losses: number) =>
      Math.exp(logNonInferioritySampled({ wins, losses, zeros: 1 - wins - losses }, 0.1, 0.5));
    close(0.1 * e(1, 0) + 0.15 * e(0, 1) + 0.75 * e(0, 0), 1, 1e-9);
    assert.throws(() => logNonInferioritySampled({ wins: 0, losses: 0, zeros: 0 }, 0.1, 0), RangeError);
  });
});

describe('a confidence sequence', () => {
  test('holds the best value, narrows with episodes, and covers the truth at every look', () => {
    const fleet = (n: number) =>
      new FleetLikelihood(
        Array.from({ length: 20 }, () => ({ wins: 0.06 * n, losses: 0.04 * n, episodes: n })),
      );
    const [early, late] = [fleet(50).confidenceSequence(0.05), fleet(2000).confidenceSequence(0.05)];
    assert.ok(
      early !== null &&
        late !== null &&
        early.low < 0.02 &&
        early.high > 0.02 &&
        late.high - late.low < early.high - early.low,
    );
    assert.equal(new FleetLikelihood([]).confidenceSequence(0.05), null);
    const random = seeded('sequence');
    let missed = 0;
    for (let run = 0; run < 100; run++) {
      const devices = Array.from({ length: 10 }, () => ({ wins: 0, losses: 0, episodes: 0 }));
      for (let look = 0; look < 30; look++) {
        for (const one of devices)
          for (let k = 0; k < 4; k++) {
            one.episodes += 1;
            const u = random.uniform();
            if (u < 0.07) one.wins += 1;
            else if (u < 0.12) one.losses += 1;
          }
        const seen = new FleetLikelihood(devices).confidenceSequence(0.05);
        if (seen !== null && (seen.low > 0.02 || seen.high < 0.02)) {
          missed += 1;
          break;
        }
      }
    }
    assert.ok(missed <= 8, `${missed} of 100`);
  });
});

describe('estimates without labels', () => {
  test('of a calibrated model are its accuracy', () => {
    const random = seeded('calibrated');
    const histogram = Array<number>(64).fill(0);
    let right = 0;
    const bins = Array.from({ length: 10 }, () => ({ episodes: 0, confidence: 0, right: 0 }));
    for (let i = 0; i < 20_000; i++) {
      const p = random.uniform();
      const bin = Math.floor(p * 64);
      histogram[bin] = (histogram[bin] ?? 0) + 1;
      const correct = random.uniform() < Math.max(p, 1 - p);
      right += Number(correct);
      const tenth = bins[Math.floor(p * 10)];
      if (tenth === undefined) continue;
      tenth.episodes += 1;
      tenth.confidence += Math.max(p, 1 - p);
      tenth.right += Number(correct);
    }
    close(confidenceBasedAccuracy(histogram), right / 20_000, 0.01);
    assert.ok(expectedCalibrationError(bins) < 0.02);
    assert.throws(() => confidenceBasedAccuracy([0, 0]), AdbreakError);
    assert.throws(() => expectedCalibrationError([]), AdbreakError);
  });
  test('the prior shift gives back what was put in', () => {
    // 80 % of content and 90 % of ads are told rightly; with 40 % ads the model says ad for .6*.2 + .4*.9 = .48.
    close(
      shiftedPrior(
        [
          [800, 200],
          [10, 90],
        ],
        [520, 480],
      )?.prior ?? 0,
      0.4,
      1e-9,
    );
    assert.equal(
      shiftedPrior(
        [
          [50, 50],
          [50, 50],
        ],
        [10, 10],
      ),
      null,
      'a model that tells nothing apart',
    );
  });
});
