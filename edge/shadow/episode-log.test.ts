import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { seeded } from '@adbreak/shared/random.js';
import { merge } from '../uplink/merge.js';
import {
  type Counts,
  convictionOf,
  countControl,
  countDraw,
  countEpisode,
  disagrees,
  type Episode,
  emptyCounts,
} from './episode-log.js';

const PAIRING = {
  rollout: 'r',
  production: 'a'.repeat(64),
  candidate: 'b'.repeat(64),
  serving: 'production',
} as const;
const episode = (production: number, candidate: number, label: Episode['label']): Episode => ({
  id: 1,
  pairing: PAIRING,
  start: 0,
  end: 8,
  frames: 10,
  productionSum: production * 10,
  candidateSum: candidate * 10,
  label,
});
const reportOf = (counts: Counts, sequence: number): WindowReport => ({
  ...counts,
  sequence,
  start: '2026-01-01T00:00:00.000Z',
  end: '2026-01-01T01:00:00.000Z',
  slice: { channel: 'one', site: 'home', hardware: 'pi5' },
});

test('an episode adds one vote for each model, its label to confusion and confidence, and the counts fit each other', () => {
  const counts = [
    episode(0.1, 0.9, 'ad'),
    episode(0.8, 0.7, 'ad'),
    episode(0.3, 0.2, 'content'),
    episode(0.6, 0.4, null),
  ].reduce(countEpisode, emptyCounts(PAIRING));
  assert.deepEqual(counts.joint, [
    [1, 1],
    [1, 1],
  ]);
  const { detail, ...labelled } = counts.labelled;
  assert.deepEqual(labelled, { episodes: 3, productionRight: 2, candidateRight: 3, wins: 1, losses: 0 });
  assert.deepEqual(detail?.production.confusion, [
    [1, 0],
    [1, 1],
  ]);
  assert.deepEqual(detail?.candidate?.tenths.toSorted(), [
    [2, 1, 1],
    [7, 1, 1],
    [9, 1, 1],
  ]);
  assert.equal(
    counts.jointConfidence.reduce((sum, [, , n]) => sum + n, 0),
    4,
  );
  assert.equal(contradiction(reportOf(counts, 1)), null);
});

test('a label counts whether its disagreement was drawn or not; the draws say which of the labels are evidence', () => {
  assert.ok(disagrees(episode(0.1, 0.9, 'ad')));
  const undrawn = [episode(0.1, 0.9, 'ad'), episode(0.8, 0.7, 'ad')].reduce(
    countEpisode,
    emptyCounts(PAIRING),
  );
  const drawn = [episode(0.1, 0.9, 'ad'), episode(0.1, 0.9, 'content'), episode(0.9, 0.2, null)];
  const counts = drawn.reduce((sum, one) => countDraw(countEpisode(sum, one), one, 0.5), undrawn);
  assert.deepEqual([counts.labelled.episodes, counts.labelled.wins, counts.labelled.losses], [4, 2, 1]);
  assert.deepEqual(counts.draws, { rate: 0.5, drawn: 3, wins: 1, losses: 1 });
  assert.equal(contradiction(reportOf(counts, 1)), null);
});

test('what both models are sure of is known; a control item is asked, answered, wrong', () => {
  assert.deepEqual(
    [
      episode(0.99, 0.98, null),
      episode(0.01, 0.02, null),
      episode(0.99, 0.97, null),
      episode(0.01, 0.99, null),
    ].map(convictionOf),
    ['ad', 'content', null, null],
  );
  const answers = [episode(0.99, 0.99, 'ad'), episode(0.99, 0.99, 'content'), episode(0.01, 0.01, null)];
  assert.deepEqual(answers.reduce(countControl, emptyCounts(PAIRING)).control, {
    asked: 3,
    answered: 2,
    wrong: 1,
  });
});

test('reports of random episodes fit, and merged ones fit too', () => {
  const random = seeded('merge');
  const make = (sequence: number) =>
    reportOf(
      Array.from({ length: 40 }, () =>
        episode(random.uniform(), random.uniform(), random.pick(['ad', 'content', null])),
      ).reduce(countEpisode, emptyCounts(PAIRING)),
      sequence,
    );
  for (let i = 0; i < 50; i++) {
    const [a, b] = [make(1), make(2)];
    assert.equal(contradiction(a), null);
    const both = merge(a, b);
    assert.ok(both !== null);
    assert.equal(contradiction(both), null);
    assert.equal(both.labelled.wins, a.labelled.wins + b.labelled.wins);
  }
});
