import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { secureVector } from '@adbreak/shared/contract/rounds.js';
import { beta, binomial } from '@adbreak/shared/draws.js';
import { differenceInterval, exactInterval, momentsOf } from '@adbreak/shared/evidence/intervals.js';
import { seeded } from '@adbreak/shared/random.js';
import { addVectors, type Round, resultOf } from './round.js';
import { evaluationText } from './text.js';

const ref = (version: string) => ({ version, digest: (version[0] ?? '0').repeat(64) });
const answer = (
  episodes: number,
  productionRight: number,
  candidateRight: number,
  channel = 'one',
): RoundReport => ({
  round: 'round-1',
  production: ref('1.0.0').digest,
  candidate: ref('2.0.0').digest,
  sources: { operator: 0, button: episodes, rule: 0 },
  ageHours: { youngest: 1, oldest: 30 },
  counts: {
    episodes,
    productionRight,
    candidateRight,
    wins: Math.max(0, candidateRight - productionRight),
    losses: Math.max(0, productionRight - candidateRight),
  },
  slice: { channel, site: 'home', hardware: 'pi5' },
  epsilonSpent: 0,
  at: '2026-01-01T00:00:00.000Z',
});
const roundOf = (answers: RoundReport[], change: Partial<Round> = {}): Round => ({
  id: 'round-1',
  model: 'base-ad-detector',
  request: {
    round: 'round-1',
    production: ref('1.0.0'),
    candidate: ref('2.0.0'),
    deadline: '2026-01-02T00:00:00.000Z',
    secure: false,
    epsilon: null,
  },
  started: '2026-01-01T00:00:00.000Z',
  who: 'test',
  quorum: 3,
  minDevices: 3,
  rollout: null,
  cohort: answers.map((_, i) => `pi-${i}`),
  status: 'closed',
  answers: Object.fromEntries(answers.map((one, i) => [`pi-${i}`, one])),
  sum: null,
  closed: null,
  trouble: null,
  told: true,
  ...change,
});
const FLEET = [
  answer(40, 30, 35),
  answer(50, 40, 44, 'sports'),
  answer(30, 20, 27),
  answer(60, 51, 50),
  answer(20, 15, 18, 'sports'),
];
/** The same, each on a channel of its own. */
const APART = FLEET.map((one, i) => ({ ...one, slice: { ...one.slice, channel: `c${i}` } }));

describe('a federated round', () => {
  test('gives both arms and their difference with intervals, slices, the worst devices, and where labels come from', () => {
    const result = resultOf(roundOf(FLEET));
    assert.equal(result.inconclusive, false);
    assert.equal(result.episodes, 200);
    // Averages of channel one (3 devices) and of sports (2): 101/3 + 55/2 of 130/3 + 70/2.
    assert.ok(Math.abs((result.production?.micro ?? 0) - (101 / 3 + 55 / 2) / (130 / 3 + 70 / 2)) < 1e-12);
    assert.deepEqual(
      [result.production?.devices, result.production?.episodes, result.unit],
      [5, 200, 'channel'],
    );
    const difference = (11 / 3 + 7 / 2) / (130 / 3 + 70 / 2);
    assert.ok(Math.abs((result.difference?.value ?? 0) - difference) < 1e-12);
    assert.ok((result.difference?.low ?? 0) < difference && (result.difference?.high ?? 0) > difference);
    assert.equal(result.slices['channel=one']?.devices, 3);
    assert.ok(result.slices['channel=one']?.candidate);
    assert.equal(result.slices['channel=sports']?.candidate, null, 'two devices are too few to be shown');
    assert.deepEqual(
      result.worst,
      { devices: ['pi-3'], difference: null },
      'one device is named, its counts are not shown',
    );
    const text = evaluationText(roundOf(FLEET), result);
    for (const words of [
      /difference +9\.1 points .*channels as the unit/,
      /5 of 5 devices answered, 200 labelled episodes/,
      /1 slices have fewer than 3 devices|slices have fewer/,
      /200 by the button/,
    ])
      assert.match(text, words);
  });
  test('under its quorum, or with too few devices to hide among, is inconclusive and shows nothing', () => {
    for (const change of [{ quorum: 6 }, { minDevices: 10 }]) {
      const result = resultOf(roundOf(FLEET, change));
      assert.deepEqual(
        [
          result.inconclusive,
          result.production,
          result.difference,
          Object.keys(result.slices).length,
          result.worst,
        ],
        [true, null, null, 0, null],
      );
    }
    assert.equal(resultOf(roundOf([])).inconclusive, true);
  });
  test('a channel of its own for each device: the sums are those of devices, and episodes of all count', () => {
    const result = resultOf(roundOf(APART));
    assert.ok(Math.abs((result.production?.micro ?? 0) - 156 / 200) < 1e-12);
    assert.ok(Math.abs((result.difference?.value ?? 0) - 18 / 200) < 1e-12);
  });
  test('devices of one channel only: inconclusive, and the notes say why; so is one site that does not say what it watches', () => {
    for (const channel of ['one', 'unknown', '']) {
      const result = resultOf(roundOf(FLEET.map((one) => ({ ...one, slice: { ...one.slice, channel } }))));
      assert.deepEqual(
        [result.inconclusive, result.answered, result.difference, result.production],
        [true, 5, null, null],
      );
      assert.match(result.notes.join('; '), /one channel: .*needs two channels/);
    }
    const sites = FLEET.map((one, i) => ({
      ...one,
      slice: { ...one.slice, channel: 'unknown', site: `site-${i % 2}` },
    }));
    assert.equal(resultOf(roundOf(sites)).inconclusive, false);
  });
  test('the privacy rule and the quorum count devices, however few channels they watch', () => {
    assert.equal(resultOf(roundOf(FLEET, { quorum: 5, minDevices: 5 })).inconclusive, false);
    assert.equal(resultOf(roundOf(FLEET, { quorum: 5, minDevices: 6 })).inconclusive, true);
  });
  test("a slice of one channel takes the average device's episodes as its sample; under noise it shows nothing", () => {
    const result = resultOf(roundOf(FLEET));
    const cell = result.slices['channel=one'];
    assert.ok(cell?.production !== null && cell !== undefined);
    assert.ok(Math.abs(cell.production.micro - 101 / 130) < 1e-12);
    const { low, high } = exactInterval(101 / 3, 130 / 3);
    assert.deepEqual(
      [cell.production.low, cell.production.high, cell.production.devices, cell.production.episodes],
      [low, high, 3, 130],
    );
    assert.match(
      result.notes.join('; '),
      /1 slices hold one channel: their intervals take its episodes as the unit/,
    );
    const round = roundOf(FLEET);
    const noisy = resultOf({ ...round, request: { ...round.request, epsilon: 1 } });
    assert.equal(noisy.slices['channel=one']?.production, null);
    assert.match(noisy.notes.join('; '), /under noise they show no estimate/);
  });
  test('a secure one gives the same numbers from the sum alone where each device has a channel of its own, and says what it cannot know', () => {
    const plain = resultOf(roundOf(APART));
    const sum = APART.map(({ counts }) => secureVector(counts)).reduce(addVectors);
    const round = roundOf([], { sum, cohort: APART.map((_, i) => `pi-${i}`) });
    const secure = resultOf({ ...round, request: { ...round.request, secure: true } });
    assert.deepEqual(secure.difference, plain.difference);
    assert.deepEqual({ ...secure.candidate, deviceMean: null }, { ...plain.candidate, deviceMean: null });
    assert.equal(secure.unit, 'device');
    assert.match(secure.notes.join('; '), /knows no channels: .*too narrow where devices share a channel/);
    assert.deepEqual([secure.answered, Object.keys(secure.slices).length, secure.worst], [5, 0, null]);
  });
  test('its interval of the difference covers what it promises at 20 devices, correlation .1', () => {
    const random = seeded('difference');
    const [truth, production, runs] = [0.03, 0.8, 800];
    let covered = 0;
    for (let run = 0; run < runs; run++) {
      const answers = Array.from({ length: 20 }, () => {
        const episodes = 40 + random.integer(40);
        const own = (mean: number) => beta(random, mean * 9, (1 - mean) * 9);
        return answer(
          episodes,
          binomial(random, episodes, own(production)),
          binomial(random, episodes, own(production + truth)),
        );
      }).map((one, i) => ({ ...one, slice: { ...one.slice, channel: `c${i}` } }));
      const { difference } = resultOf(roundOf(answers));
      if (difference !== null && difference.low <= truth && truth <= difference.high) covered += 1;
    }
    assert.ok(covered / runs >= 0.92, `covered ${covered / runs}`);
  });
  test('devices of a channel share their episodes: over devices the interval covers too rarely, over channels it keeps its promise', (t) => {
    const random = seeded('shared episodes');
    const [truth, production, runs, channels, watching] = [0.03, 0.8, 600, 12, 4];
    const covered = { device: 0, channel: 0 };
    for (let run = 0; run < runs; run++) {
      const answers = Array.from({ length: channels }, (_, channel) => {
        const own = (mean: number) => beta(random, mean * 30, (1 - mean) * 30);
        const [right, candidate] = [own(production), own(production + truth)];
        const episodes = Array.from(
          { length: 60 },
          () => [random.uniform() < right, random.uniform() < candidate] as const,
        );
        // Each device has labelled most of the channel's episodes.
        return Array.from({ length: watching }, () => {
          const labelled = episodes.filter(() => random.uniform() < 0.8);
          return answer(
            labelled.length,
            labelled.filter(([p]) => p).length,
            labelled.filter(([, c]) => c).length,
            `c${channel}`,
          );
        });
      }).flat();
      const { difference } = resultOf(roundOf(answers));
      assert.ok(difference !== null);
      const byDevice = differenceInterval(
        momentsOf(
          answers.map(({ counts }) => ({
            n: counts.episodes,
            x: counts.candidateRight - counts.productionRight,
          })),
        ),
      );
      covered.device += Number(byDevice.low <= truth && truth <= byDevice.high);
      covered.channel += Number(difference.low <= truth && truth <= difference.high);
    }
    t.diagnostic(
      `nominal 95 %: over devices ${covered.device / runs}, over channels ${covered.channel / runs} (seed shared episodes)`,
    );
    assert.ok(covered.device / runs < 0.8, `over devices ${covered.device / runs}`);
    assert.ok(
      covered.channel / runs >= 0.92 && covered.channel / runs <= 0.98,
      `over channels ${covered.channel / runs}`,
    );
  });
});
