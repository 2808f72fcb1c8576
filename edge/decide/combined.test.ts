import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DECIDER } from '@adbreak/shared/decide/decider.js';
import { snapped, withHints } from './combined.js';
import type { Scored } from './scored.js';
import { type Segment, segmentsOf } from './segments.js';

/** Two frames a second with the p(ad) of each second. */
function scored(seconds: readonly number[]): Scored[] {
  return seconds.flatMap((probability, i) => [
    { time: i, probability },
    { time: i + 0.5, probability },
  ]);
}
const flat = (probability: number, seconds: number) => new Array<number>(seconds).fill(probability);
const decided = (frames: readonly Scored[]) => segmentsOf(frames, DEFAULT_DECIDER, 0.5, 'hindsight');
const told = (segments: readonly Segment[]) =>
  segments.map(({ start, end, label }) => `${label} ${start}-${end}`);

describe('the decision of model and recurrence', () => {
  // The model takes the spot at 60 for programme, and a trailer at 120 for an advertisement.
  const frames = scored([
    ...flat(0.1, 60),
    ...flat(0.3, 20),
    ...flat(0.1, 40),
    ...flat(0.8, 15),
    ...flat(0.1, 60),
  ]);
  const hints = [
    { start: 60, end: 80, odds: 2 },
    { start: 120, end: 135, odds: -2 },
  ];

  test('follows what recurs where the model is in doubt', () => {
    assert.deepEqual(told(decided(frames)), ['content 0-120', 'ad 120-135', 'content 135-195']);
    assert.deepEqual(told(decided(withHints(frames, hints))), ['content 0-60', 'ad 60-80', 'content 80-195']);
  });

  test('stays with the model where nothing recurs, and where it is sure of the contrary', () => {
    assert.deepEqual(withHints(frames, []), frames);
    const sure = scored([...flat(0.1, 60), ...flat(0.01, 20), ...flat(0.1, 60)]);
    assert.deepEqual(told(decided(withHints(sure, hints))), ['content 0-140']);
  });

  test('knows what recurs where a picture is like nothing in training', () => {
    const unlike = scored(flat(0.1, 20)).map((frame) => ({ ...frame, unlike: true }));
    const [first] = withHints(unlike, [{ start: 0, end: 20, odds: 2 }]);
    assert.ok(first !== undefined && first.unlike === undefined && first.probability > 0.8);
  });
});

describe('borders', () => {
  const segment = (start: number, end: number, label: 'ad' | 'content'): Segment => ({
    start,
    end,
    label,
    confidence: 0.9,
  });
  const segments = [segment(0, 61.5, 'content'), segment(61.5, 88, 'ad'), segment(88, 200, 'content')];

  test('go to the gap beside them: an advertisement begins where one ends, and ends where one begins', () => {
    const gaps = [
      { start: 59.2, end: 60 },
      { start: 90, end: 90.4 },
    ];
    assert.deepEqual(told(snapped(segments, gaps, [])), ['content 0-60', 'ad 60-90', 'content 90-200']);
  });

  test('go to the end of an airing, and stay where nothing is near', () => {
    const airing = { start: 70, end: 86.2, odds: 2 };
    assert.deepEqual(told(snapped(segments, [], [airing])), [
      'content 0-61.5',
      'ad 61.5-86.2',
      'content 86.2-200',
    ]);
    const trailer = { ...airing, odds: -2 };
    assert.deepEqual(snapped(segments, [{ start: 40, end: 41 }], [trailer]), segments);
  });

  test('never pass each other', () => {
    const short = [segment(0, 10, 'content'), segment(10, 11, 'ad'), segment(11, 30, 'content')];
    const moved = snapped(
      short,
      [
        { start: 12.5, end: 13 },
        { start: 7, end: 8 },
      ],
      [],
    );
    moved.forEach(({ start, end }, i) => {
      assert.ok(start < end);
      if (i > 0) assert.equal(start, moved[i - 1]?.end);
    });
  });
});
