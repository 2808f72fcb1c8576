import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cluster, clustersOf, DEMO_PLAN, input } from './fixtures.js';
import { type GateInput, judge, LEAST_DAYS } from './gate.js';
import type { SilenceFacts } from './silence.js';

const alarm = (worldAlarm: boolean, disagreementAlarm: boolean) => ({
  world: 6000,
  worldDoubt: worldAlarm,
  worldAlarm,
  disagreement: 1,
  disagreementAlarm,
});
const days = (n: number, change: Partial<GateInput> = {}): Partial<GateInput> => ({
  ...change,
  days: Array.from({ length: n }, () => cluster('d', 2, 40, 60).tallies),
});

describe('harm', () => {
  test('fails a worse candidate where channels and days agree, and gives its numbers', () => {
    const verdict = judge(input(clustersOf(10, 1, 15, 90)));
    assert.deepEqual([verdict.verdict, verdict.cause], ['FAIL', 'worse'], verdict.reason);
    assert.match(
      verdict.reason,
      /worse by more than 4\.0 points: 150 lost, 10 won in 1,060 distinct episodes; H = .* ≥ 20\.0; E_fleet = .*, E_days = /,
    );
  });
  test('on few channels the fleet is those channels, and the reason says so', () => {
    assert.match(
      judge(input(clustersOf(3, 1, 30, 60))).reason,
      /with 3 channels the fleet is those channels/,
    );
    assert.match(judge(input(clustersOf(1, 1, 90, 60))).reason, /with 1 channel the fleet/);
  });
  test('suspends before five days have been seen, fails from then on', () => {
    const bad = clustersOf(10, 1, 15, 90);
    const early = judge(input(bad, days(LEAST_DAYS - 1)));
    assert.equal(early.verdict, 'SUSPEND');
    assert.match(
      early.reason,
      /a rollback needs 5 days of evidence, there are 4: back to the shadow costs nothing/,
    );
    assert.equal(judge(input(bad, days(LEAST_DAYS))).verdict, 'FAIL');
  });
  test('one very bad day, or one very bad channel, suspends and fails nobody', () => {
    const bad = clustersOf(10, 1, 15, 90);
    const oneDay = [
      cluster('d', 0, 140, 100).tallies,
      ...Array.from({ length: 5 }, () => cluster('d', 3, 3, 160).tallies),
    ];
    const verdict = judge(input(bad, { days: oneDay }));
    assert.equal(verdict.verdict, 'SUSPEND');
    assert.match(verdict.reason, /not yet shown over the days/);
    const channel = judge(input([...clustersOf(9, 4, 4, 90), cluster('bad', 0, 190, 40)]));
    assert.equal(channel.verdict, 'SUSPEND');
    assert.match(channel.reason, /on the channels that are watched, not yet shown for all/);
  });
  test('is being worse by more than the tolerance: what is worse by half of it is no harm, with any number of episodes', () => {
    // 8 points of margin, 4 of tolerance, 2 worse.
    assert.notEqual(judge(input(clustersOf(10, 40, 60, 900))).cause, 'worse');
    assert.equal(
      judge(input(clustersOf(10, 40, 60, 900), { plan: { ...DEMO_PLAN, tolerance: 0 } })).cause,
      'worse',
    );
  });
  test('in a changing world suspends and rolls nothing back, unless the two differ more than before', () => {
    const bad = clustersOf(10, 1, 15, 90);
    const verdict = judge(input(bad, { drift: alarm(true, false) }));
    assert.equal(verdict.verdict, 'SUSPEND');
    assert.match(verdict.reason, /the world is changing under both models .* nothing is rolled back yet/);
    assert.equal(
      judge(input(bad, { drift: { ...alarm(false, false), worldDoubt: true, world: 60 } })).verdict,
      'SUSPEND',
      'also before the alarm',
    );
    assert.equal(judge(input(bad, { drift: alarm(true, true) })).verdict, 'FAIL');
  });
  test('open draws count for the candidate: nobody’s silence rolls back', () => {
    assert.notEqual(judge(input(clustersOf(10, 0, 8, 60, 12))).cause, 'worse');
    assert.equal(judge(input(clustersOf(10, 0, 20, 60))).cause, 'worse');
  });
  test('wrong answers up to the share that is allowed for cannot make harm of nothing', () => {
    const even = clustersOf(10, 10, 20, 70);
    assert.equal(judge(input(even, { wrong: 0 })).cause, 'worse');
    assert.notEqual(judge(input(even, { wrong: 0.3 })).cause, 'worse');
  });
});

describe('promotion', () => {
  test('passes a better candidate with its reason in numbers', () => {
    const verdict = judge(input(clustersOf(3, 5, 0, 30)));
    assert.equal(verdict.verdict, 'PASS');
    assert.match(
      verdict.reason,
      /no worse than production: 105 distinct episodes on 3 channels: 15 won, 0 lost, 0 unanswered; M = .* 8\.0 points/,
    );
  });
  test('without evidence never comes, however long it waits', () => {
    assert.equal(judge(input([])).verdict, 'HOLD');
    assert.equal(judge(input([], { hoursInStage: 2 })).verdict, 'INCONCLUSIVE');
    assert.equal(judge(input(clustersOf(9, 0, 0, 0), { hoursInStage: 1e6 })).verdict, 'INCONCLUSIVE');
  });
  test('the last stage waits for five days; stages before it do not', () => {
    const good = clustersOf(6, 5, 0, 60);
    assert.equal(judge(input(good, days(4))).verdict, 'PASS');
    const last = judge(input(good, days(4, { stage: 2 })));
    assert.deepEqual([last.verdict, last.cause], ['HOLD', 'days']);
    assert.match(last.reason, /the last stage needs evidence of 5 days; there are 4/);
    assert.equal(judge(input(good, { stage: 2 })).verdict, 'PASS');
  });
  const silent: SilenceFacts = {
    acting: { devices: 4, silent: ['a', 'b', 'c'] },
    control: { devices: 0, silent: [] },
    windows: { expected: 0, came: 0 },
  };
  const good = clustersOf(3, 5, 0, 30);
  const waiting: [string, GateInput, RegExp][] = [
    ['devices', input(good, { devices: 2 }), /evidence from 2 of 3 devices/],
    [
      'devices',
      input(good, { stage: 1, acting: 0 }),
      /acts on no device: nobody whom this stage may reach is there/,
    ],
    ['episodes', input(clustersOf(3, 2, 0, 10)), /36 of 60 distinct episodes/],
    [
      'episodes',
      input(good, { stage: 1, acting: 1, episodesInStage: 3.9 }),
      /3 of 10 distinct episodes in this stage where the candidate acts/,
    ],
    ['soak', input(good, { hoursInStage: 0.001 }), /4 seconds of 6 seconds/],
    [
      'silent',
      input(good, { stage: 1, acting: 4, silence: silent }),
      /3 of 4 devices are silent for 4 windows and longer \(a, b, c\)/,
    ],
    [
      'one-device',
      input(good, { answers: { most: { device: 'loud', n: 12 }, all: 13 } }),
      /12 of 13 answers come from loud alone/,
    ],
    [
      'labels',
      input(clustersOf(3, 5, 0, 30, 9)),
      /64\.3 % of the drawn disagreements have no answer, and each counts against the candidate/,
    ],
    ['evidence', input(clustersOf(3, 5, 6, 30)), /not enough evidence yet/],
  ];
  for (const [cause, given, words] of waiting)
    test(`waits: ${cause} (${words.source})`, () => {
      const verdict = judge(given);
      assert.deepEqual([verdict.verdict, verdict.cause], ['HOLD', cause], verdict.reason);
      assert.match(verdict.reason, words);
      assert.equal(verdict.ask, cause === 'labels' || cause === 'one-device' ? 'labels' : null);
      assert.equal(
        judge({ ...given, hoursInStage: cause === 'soak' ? 0.001 : 1e4 }).verdict,
        cause === 'soak' ? 'HOLD' : 'INCONCLUSIVE',
      );
    });
  test('needs a person where the plan says so, and a round that agrees', () => {
    const [first, ...others] = DEMO_PLAN.stages;
    assert.ok(first !== undefined);
    const approve = { ...DEMO_PLAN, stages: [{ ...first, approve: 'admin' as const }, ...others] };
    assert.equal(judge(input(good, { plan: approve })).ask, 'approval');
    assert.match(judge(input(good, { plan: approve })).reason, /a person \(admin\) must approve/);
    assert.equal(
      judge(input(good, { plan: approve, hoursInStage: 2 })).verdict,
      'INCONCLUSIVE',
      'nobody came',
    );
    assert.equal(judge(input(good, { plan: approve, approved: true })).verdict, 'PASS');
    assert.equal(
      judge(input(good, { plan: { ...DEMO_PLAN, autoPromote: false }, stage: 2 })).cause,
      'approval',
    );
    assert.equal(judge(input(good, { mayAdvance: false })).cause, 'window');
    assert.equal(
      judge(input(clustersOf(3, 0, 30, 20), { mayAdvance: false })).verdict,
      'FAIL',
      'harm knows no windows',
    );
    const round = { ...DEMO_PLAN, stages: [{ ...first, round: { quorum: 3, hours: 1 } }, ...others] };
    assert.equal(judge(input(good, { plan: round })).ask, 'round');
    assert.equal(
      judge(input(good, { plan: round, round: { low: -0.2, inconclusive: false } })).verdict,
      'HOLD',
    );
    assert.equal(judge(input(good, { plan: round, round: { low: 0, inconclusive: true } })).verdict, 'HOLD');
    assert.equal(
      judge(input(good, { plan: round, round: { low: -0.01, inconclusive: false } })).verdict,
      'PASS',
    );
  });
  test('of several candidates waits for the others, then the best goes on', () => {
    const sibling = { id: 's', log: 9, status: 'open', difference: 0.01 } as const;
    assert.equal(judge(input(good, { siblings: [sibling] })).cause, 'siblings');
    assert.equal(judge(input(good, { siblings: [{ ...sibling, status: 'passed' }] })).verdict, 'PASS');
    assert.equal(
      judge(input(good, { siblings: [{ ...sibling, status: 'passed', difference: 0.5 }] })).cause,
      'outdone',
    );
    // Closed testing: what is enough alone is not beside a candidate without any evidence.
    const near = clustersOf(3, 1, 0, 10);
    const small = { ...DEMO_PLAN, stages: DEMO_PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 0 })) };
    assert.equal(judge(input(near, { plan: small })).verdict, 'PASS');
    assert.equal(
      judge(input(near, { plan: small, siblings: [{ ...sibling, log: -3, status: 'ended' }] })).cause,
      'evidence',
    );
  });
});

describe('the world or the model', () => {
  const even = clustersOf(6, 4, 4, 60);
  test('production shifts, differences do not: WORLD, nothing moves; a person when it lasts', () => {
    const verdict = judge(input(clustersOf(6, 9, 0, 90), { drift: alarm(true, false) }));
    assert.equal(verdict.verdict, 'WORLD');
    assert.match(verdict.reason, /nothing is promoted, nothing is rolled back/);
    assert.equal(judge(input(even, { drift: alarm(true, false), hoursInStage: 2 })).verdict, 'INCONCLUSIVE');
  });
  test('differences rise under an unchanged production: answers decide', () => {
    const verdict = judge(input(clustersOf(6, 4, 4, 60, 20), { drift: alarm(false, true) }));
    assert.deepEqual([verdict.verdict, verdict.cause, verdict.ask], ['HOLD', 'candidate-changed', 'labels']);
    assert.notEqual(
      judge(input(even, { drift: alarm(false, true) })).cause,
      'candidate-changed',
      'with the answers there, they decide',
    );
  });
  test('both: AMBIGUOUS', () =>
    assert.equal(judge(input(even, { drift: alarm(true, true) })).verdict, 'AMBIGUOUS'));
});
