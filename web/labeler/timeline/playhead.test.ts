import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { playheadWords, slidTo } from './playhead.js';

describe('the playhead as a slider', () => {
  test('goes to both ends and by pages, and not beyond', () => {
    const keys = ['Home', 'End', 'PageUp', 'PageDown', 'ArrowUp', 'ArrowDown'];
    assert.deepEqual(
      keys.map((key) => slidTo(key, 50, 100)),
      [0, 100, 80, 20, 51, 49],
    );
    assert.deepEqual([slidTo('PageDown', 10, 100), slidTo('PageUp', 90, 100)], [0, 100]);
    assert.equal(slidTo('a', 50, 100), null);
  });

  test('says nothing new while it plays', () => {
    assert.equal(playheadWords(61.5, 1537, false), '0:01:01.500, frame 1537');
    assert.equal(playheadWords(61.5, 1537, true), playheadWords(62.5, 1562, true));
  });
});
