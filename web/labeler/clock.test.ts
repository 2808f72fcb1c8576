import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counted, formatClock, formatLength } from './clock.js';

test('times are those of a clock, and round once', () => {
  assert.equal(formatClock(0), '0:00:00');
  assert.equal(formatClock(3725.4), '1:02:05');
  assert.equal(formatClock(59.9996, 3), '0:01:00.000', 'no sixtieth second');
  assert.equal(formatClock(7.04, 3), '0:00:07.040');
  assert.equal(formatClock(12.34, 1), '0:00:12.3');
});

test('lengths are said in the unit that a person would use', () => {
  assert.deepEqual([0.04, 9.96, 38.2, 252, 7500].map(formatLength), [
    '0.0 s',
    '10 s',
    '38 s',
    '4 min 12 s',
    '2 h 5 min',
  ]);
});

test('one is not many', () => {
  assert.deepEqual(
    [counted(1, 'airing'), counted(14, 'airing'), counted(0, 'spot')],
    ['1 airing', '14 airings', '0 spots'],
  );
});
