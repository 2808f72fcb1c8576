import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RoundReport } from '@adbreak/shared/contract/rounds.js';
import { secureVector } from '@adbreak/shared/contract/rounds.js';
import { beta, binomial } from '@adbreak/shared/draws.js';
import { seeded } from '@adbreak/shared/random.js';
import { addVectors, type Round, resultOf } from './round.js';
import { evaluationText } from './text.js';

const ref = (version: string) => ({ version, digest: (version[0] ?? '0').repeat(64) });
const answer = (episodes: number, productionRight: number, candidateRight: number, channel = 'one'): RoundReport => ({
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
  request: { round: 'round-1', production: ref('1.0.0'), candidate: ref('2.0.0'), deadline: '2026-01-02T00:00:00.000Z', secure: false, epsilon: null },
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
  ...change,
});
const FLEET = [answer(40, 30, 35), answer(50, 40, 44, 'sports'), answer(30, 20, 27), answer(60, 51, 50), answer(20, 15, 18, 'sports')];

describe('a federated round', () => {
  test('gives both arms and their difference with intervals, slices, the worst devices, and where labels come from', () => {
    const result = resultOf(roundOf(FLEET));
    assert.equal(result.inconclusive, false);
    assert.equal(result.episodes, 200);
    assert.ok(Math.abs((result.production?.micro ?? 0) - 156 / 200) < 1e-12);
    assert.ok(Math.abs((result.difference?.value ?? 0) - 18 / 200) < 1e-12);
    assert.ok((result.difference?.low ?? 0) < 0.09 && (result.difference?.high ?? 0) > 0.09);
    assert.equal(result.slices['channel=one']?.devices, 3);
    assert.ok(result.slices['channel=one']?.candidate);
    assert.equal(result.slices['channel=sports']?.candidate, null, 'two devices are too few to be shown');
    assert.deepEqual(result.worst, { devices: ['pi-3'], difference: null }, 'one device is named, its counts are not shown');
    const text = evaluationText(roundOf(FLEET), result);
    for (const words of [
      /difference +9\.0 points/,
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
        [result.inconclusive, result.production, result.difference, Object.keys(result.slices).length, result.worst],
        [true, null, null, 0, null],
      );
    }
    assert.equal(resultOf(roundOf([])).inconclusive, true);
  });
  test('a secure one gives the same numbers from the sum alone', () => {
    const plain = resultOf(roundOf(FLEET));
    const sum = FLEET.map(({ counts }) => secureVector(counts)).reduce(addVectors);
    const round = roundOf([], { sum, cohort: FLEET.map((_, i) => `pi-${i}`) });
    const secure = resultOf({ ...round, request: { ...round.request, secure: true } });
    assert.deepEqual(secure.difference, plain.difference);
    assert.deepEqual({ ...secure.candidate, deviceMean: null }, { ...plain.candidate, deviceMean: null });
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
        return answer(episodes, binomial(random, episodes, own(production)), binomial(random, episodes, own(production + truth)));
      });
      const { difference } = resultOf(roundOf(answers));
      if (difference !== null && difference.low <= truth && truth <= difference.high) covered += 1;
    }
    assert.ok(covered / runs >= 0.92, `covered ${covered / runs}`);
  });
});
