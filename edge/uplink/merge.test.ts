import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { merge } from './merge.js';

const T0 = Date.parse('2026-01-10T00:00:00.000Z');
const iso = (hour: number) => new Date(T0 + hour * 3_600_000).toISOString();
/** The report of one hour: `n` disagreements, all drawn, the first of them answered. */
function report(hour: number, n: number, change: Partial<WindowReport> = {}): WindowReport {
  return windowReport.parse({
    sequence: hour + 1,
    start: iso(hour),
    end: iso(hour + 1),
    slice: { channel: 'one', site: 'home', hardware: 'pi5' },
    rollout: 'r',
    production: 'a'.repeat(64),
    candidate: 'b'.repeat(64),
    serving: 'production',
    episodes: n,
    draws: { rate: 1, drawn: n, wins: 1, losses: 0 },
    waiting: n - 1,
    control: { asked: 3, answered: 2, wrong: 1 },
    histograms: {
      production: { bins: [[7, n]], sum: (7.5 * n) / 256 },
      candidate: { bins: [[200, n]], sum: (200.5 * n) / 256 },
    },
    joint: [
      [0, n],
      [0, 0],
    ],
    labelled: { episodes: 1, productionRight: 0, candidateRight: 1, wins: 1, losses: 0 },
    latency: { production: [[10, 3]], candidate: [[11, 3]] },
    adFrames: 0,
    frames: 5,
    dropped: 0,
    restarts: 0,
    ...change,
  });
}
function merged(a: WindowReport, b: WindowReport): WindowReport {
  for (const one of [a, b]) assert.equal(contradiction(one), null);
  const sum = merge(a, b);
  assert.ok(sum !== null);
  assert.equal(contradiction(sum), null);
  return windowReport.parse(sum);
}

test('merging adds everything up and keeps what must not be mixed apart', () => {
  const sum = merged(report(0, 2), report(1, 3));
  assert.deepEqual(
    [sum.start, sum.end, sum.sequence, sum.episodes, sum.labelled.wins],
    [iso(0), iso(2), 2, 5, 2],
  );
  assert.deepEqual(sum.histograms.production.bins, [[7, 5]]);
  assert.deepEqual(sum.latency.production, [[10, 6]]);
  assert.equal(merge(report(0, 2), report(1, 3, { production: 'c'.repeat(64) })), null);
  assert.equal(merge(report(0, 2), report(1, 3, { serving: 'candidate' })), null);
  assert.equal(merge(report(0, 2), report(1, 3, { stream: '0123456789abcdef' })), null);
  assert.equal(merge(report(0, 2), undefined), null);
});

test('several windows in one give no evidence; control items add up, and what waits is what waited last', () => {
  const sum = merged(report(0, 2), report(1, 3));
  assert.deepEqual([sum.draws, sum.waiting, sum.control], [null, 2, { asked: 6, answered: 4, wrong: 2 }]);
  assert.equal(sum.content, null);
  assert.equal(
    merged(report(0, 2, { content: 1 }), report(1, 3)).content,
    4,
    'null says that every episode is new content',
  );
});

test('answers to draws of other windows go on, joined by window; those to draws that are given up here go with them', () => {
  const sum = merged(
    report(5, 2, { answers: [{ start: iso(1), wins: 1, losses: 0 }] }),
    report(6, 3, {
      answers: [
        { start: iso(1), wins: 1, losses: 2 },
        { start: iso(3), wins: 0, losses: 1 },
        { start: iso(5), wins: 1, losses: 0 },
      ],
    }),
  );
  assert.deepEqual(sum.answers, [
    { start: iso(1), wins: 2, losses: 2 },
    { start: iso(3), wins: 0, losses: 1 },
  ]);
});

test('of more answers than a report holds the oldest go', () => {
  const answers = (from: number) =>
    Array.from({ length: 80 }, (_, i) => ({ start: iso(from + i), wins: 1, losses: 0 }));
  const sum = merged(report(500, 2, { answers: answers(0) }), report(501, 2, { answers: answers(100) }));
  assert.deepEqual(
    [sum.answers.length, sum.answers[0]?.start, sum.answers.at(-1)?.start],
    [100, iso(60), iso(179)],
  );
});

test('reports on both sides of a clock that stepped back cover both', () => {
  const sum = merged(report(9, 2), { ...report(3, 2), sequence: 11 });
  assert.deepEqual([sum.start, sum.end, sum.sequence], [iso(3), iso(10), 11]);
});
