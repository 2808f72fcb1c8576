import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LabelAction, LabelledSpan } from '@adbreak/shared/contract/labelling.js';
import { coveredSeconds, spanAt, stretchesOf, withPending } from './spans.js';

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const HERE = 'aaaaaaaaaaaaaaa1';
const kept = (start: number, end: number, label: 'ad' | 'content'): LabelledSpan => ({
  start,
  end,
  label,
  how: 'key',
  action: uuid(1),
});
const paint = (id: number, start: number, end: number, label: 'ad' | 'content' | null): LabelAction => ({
  kind: 'paint',
  id: uuid(id),
  recording: HERE,
  start,
  end,
  label,
  how: 'key',
});
const shown = (spans: readonly LabelledSpan[], ...actions: LabelAction[]) =>
  withPending(spans, actions, HERE).map(
    ({ start, end, label, isPending }) => `${start}-${end} ${label}${isPending ? '?' : ''}`,
  );

describe('labels as they are shown', () => {
  test('what the server has not confirmed lies over what it has, and says so', () => {
    assert.deepEqual(shown([kept(0, 10, 'content')], paint(2, 4, 6, 'ad')), [
      '0-4 content',
      '4-6 ad?',
      '6-10 content',
    ]);
    assert.deepEqual(shown([kept(0, 10, 'ad')], paint(2, 5, 20, null)), ['0-5 ad', '5-20 null?']);
  });

  test('a growing label grows before the server says so, and never shrinks', () => {
    const extend = (end: number): LabelAction => ({ kind: 'extend', id: uuid(9), of: uuid(2), end });
    assert.deepEqual(shown([], paint(2, 4, 5, 'ad'), extend(8)), ['4-5 ad?', '5-8 ad?']);
    assert.deepEqual(shown([], paint(2, 4, 5, 'ad'), extend(3)), ['4-5 ad?']);
    assert.deepEqual(shown([kept(0, 2, 'ad')], extend(5)), ['0-2 ad'], 'of one that is not here');
  });

  test('a spot is painted where it airs in this recording', () => {
    const airings = [
      { recording: HERE, start: 1, end: 2 },
      { recording: 'bbbbbbbbbbbbbbb2', start: 3, end: 4 },
      { recording: HERE, start: 5, end: 6 },
    ];
    assert.deepEqual(shown([], { kind: 'spot', id: uuid(3), spot: 'S1', label: 'ad', airings }), [
      '1-2 ad?',
      '5-6 ad?',
    ]);
  });

  test('undo waits for its answer; another recording is not this one', () => {
    assert.deepEqual(shown([kept(0, 1, 'ad')], { kind: 'undo', id: uuid(4) }), ['0-1 ad']);
    assert.deepEqual(withPending([], [paint(1, 0, 1, 'ad')], 'bbbbbbbbbbbbbbb2'), []);
  });

  test('neighbours with one label are one stretch; what is taken away is none', () => {
    const spans = withPending([kept(0, 5, 'ad')], [paint(2, 5, 9, 'ad'), paint(3, 20, 30, null)], HERE);
    assert.deepEqual(
      stretchesOf(spans).map(({ start, end, isPending }) => [start, end, isPending]),
      [[0, 9, true]],
    );
    assert.equal(spanAt(stretchesOf(spans), 8.9)?.start, 0);
    assert.equal(spanAt(stretchesOf(spans), 9), null, 'an end is not part of its stretch');
  });

  test('seconds with a label are counted inside a stretch', () => {
    assert.equal(coveredSeconds([kept(0, 5, 'ad'), kept(6, 20, 'content')], { start: 4, end: 10 }), 5);
  });
});
