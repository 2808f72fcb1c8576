import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { borderFrom, borderNear, bordersOf, movedBorder } from './borders.js';
import type { ShownSpan } from './spans.js';

const span = (start: number, end: number, label: 'ad' | 'content'): ShownSpan => ({
  start,
  end,
  label,
  action: 'x',
  isPending: false,
});
const borders = bordersOf([span(0, 10, 'content'), span(10, 40, 'ad'), span(60, 70, 'ad')]);

describe('borders', () => {
  test('lie where a label begins, ends or gives way to the other', () => {
    assert.deepEqual(borders, [
      { time: 0, left: null, right: 'content' },
      { time: 10, left: 'content', right: 'ad' },
      { time: 40, left: 'ad', right: null },
      { time: 60, left: null, right: 'ad' },
      { time: 70, left: 'ad', right: null },
    ]);
  });

  test('are gone to one after the other, in both directions', () => {
    assert.equal(borderFrom(borders, 10, 1)?.time, 40);
    assert.equal(borderFrom(borders, 10, -1)?.time, 0);
    assert.equal(borderFrom(borders, 70, 1), null);
    assert.equal(borderNear(borders, 58, 0.5), null);
    assert.equal(borderNear(borders, 59.8, 0.5)?.time, 60);
  });

  test('move by painting what they pass, so that one undo takes back one move', () => {
    const between = { time: 10, left: 'content', right: 'ad' } as const;
    assert.deepEqual(movedBorder(between, 10.04), { start: 10, end: 10.04, label: 'content' });
    assert.deepEqual(movedBorder(between, 9.96), { start: 9.96, end: 10, label: 'ad' });
    const atGap = { time: 40, left: 'ad', right: null } as const;
    assert.deepEqual(movedBorder(atGap, 39.96), { start: 39.96, end: 40, label: null });
  });
});
